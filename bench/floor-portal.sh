#!/bin/sh
# The floor of the bench, continued: a page that leads to the services, in the spirit of floor.sh.
# usage: floor-portal.sh DOMAIN HOSTNAME...
set -eu

domain=$1
shift
mkdir -p /srv/portal
for hostname in "$@"; do
    printf '<p><a href="https://%s">%s</a></p>\n' "$hostname" "$hostname"
done >/srv/portal/index.html

echo "127.0.0.1 $domain" >>/etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$domain" \
    -addext "subjectAltName=DNS:$domain" -keyout /etc/ssl/private/portal.key -out /etc/ssl/certs/portal.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/portal <<NGINX
server {
    listen 443 ssl;
    server_name $domain;
    ssl_certificate /etc/ssl/certs/portal.crt;
    ssl_certificate_key /etc/ssl/private/portal.key;
    root /srv/portal;
}
NGINX
systemctl restart nginx

# Working means: the page answers.
python3 - "$domain" <<'PYTHON'
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile="/etc/ssl/certs/portal.crt")
answer = urllib.request.urlopen(f"https://{sys.argv[1]}/", context=context, timeout=60).read()
sys.exit(0 if answer == open("/srv/portal/index.html", "rb").read() else "the page is another one")
PYTHON
