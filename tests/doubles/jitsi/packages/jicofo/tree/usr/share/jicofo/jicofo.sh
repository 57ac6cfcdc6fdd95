#!/bin/bash
# As the vendor's: takes JICOFO_MAX_MEMORY and JAVA_SYS_PROPS, and becomes the program.
set -eu
if [[ "${JAVA_SYS_PROPS:-}" != *-Dconfig.file=* ]]; then
    JAVA_SYS_PROPS="${JAVA_SYS_PROPS:-} -Dconfig.file=/etc/jitsi/jicofo/jicofo.conf"
fi
# shellcheck disable=SC2086 # a list of words on purpose
exec python3 -B /usr/share/jicofo/lib/focus.py -Xmx"${JICOFO_MAX_MEMORY:-3072m}" $JAVA_SYS_PROPS "$@"
