#!/bin/bash
# As the vendor's: takes VIDEOBRIDGE_MAX_MEMORY and JAVA_SYS_PROPS, and becomes the program.
set -eu
# shellcheck disable=SC2086 # a list of words on purpose
exec python3 -B /usr/share/jitsi-videobridge/lib/bridge.py -Xmx"${VIDEOBRIDGE_MAX_MEMORY:-3072m}" ${JAVA_SYS_PROPS:-} "$@"
