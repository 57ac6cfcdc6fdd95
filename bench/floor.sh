#!/bin/sh
# The floor of the bench: a working Nextcloud by the shortest shell script that does it, with the packages and the
# archive of `sovstack apply` and none of its care: no hardening, no firewall, no checks, not repeatable. Runs on the
# machine, as root; one connection, one transaction, nothing waits for anything it does not need.
# usage: floor.sh ARCHIVE HOSTNAME PACKAGE...
set -eu

archive=$1
hostname=$2
shift 2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
code=/opt/nextcloud
data=/srv/nextcloud-data

apt-get update -qq
apt-get install -qq --no-install-recommends "$@" >/dev/null

mkdir -p "$data"
case $archive in
    *.bz2) tar -x -I lbzip2 -f "$archive" -C /opt ;;
    *) tar -x -f "$archive" -C /opt ;;
esac
chown -R www-data: "$code/config" "$data"

runuser -u postgres -- createuser www-data
runuser -u postgres -- createdb --owner www-data nextcloud

php=$(find /etc/php -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
printf 'memory_limit = 512M\napc.enable_cli = 1\n' | tee "/etc/php/$php/fpm/conf.d/90-floor.ini" >"/etc/php/$php/cli/conf.d/90-floor.ini"

occ() { runuser -u www-data -- php "$code/occ" --no-interaction --quiet "$@"; }
OC_PASS=$(openssl rand -hex 24)
export OC_PASS
occ maintenance:install --database pgsql --database-name nextcloud --database-user www-data \
    --database-host /run/postgresql --database-pass "" --admin-user admin --admin-pass "$OC_PASS" --data-dir "$data"
occ config:import <<JSON
{ "system": {
    "trusted_domains": ["localhost", "$hostname"], "overwrite.cli.url": "https://$hostname",
    "memcache.local": "\\\\OC\\\\Memcache\\\\APCu", "memcache.locking": "\\\\OC\\\\Memcache\\\\Redis",
    "redis": { "host": "127.0.0.1", "port": 6379 } } }
JSON
occ db:add-missing-indices

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$hostname" \
    -addext "subjectAltName=DNS:$hostname" -keyout /etc/ssl/private/floor.key -out /etc/ssl/certs/floor.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/default <<NGINX
server {
    listen 443 ssl;
    server_name $hostname;
    ssl_certificate /etc/ssl/certs/floor.crt;
    ssl_certificate_key /etc/ssl/private/floor.key;
    root $code;
    client_max_body_size 1g;
    location ~ \.php(?:\$|/) {
        fastcgi_split_path_info ^(.+?\.php)(/.*)\$;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
        fastcgi_param PATH_INFO \$fastcgi_path_info;
        fastcgi_pass unix:/run/php/php$php-fpm.sock;
    }
    location / { try_files \$uri \$uri/ /index.php\$request_uri; }
}
NGINX
cat >/etc/systemd/system/nextcloud-cron.service <<UNIT
[Service]
User=www-data
ExecStart=/usr/bin/php -f $code/cron.php
UNIT
printf '[Timer]\nOnBootSec=5min\nOnUnitActiveSec=5min\n[Install]\nWantedBy=timers.target\n' \
    >/etc/systemd/system/nextcloud-cron.timer
systemctl daemon-reload
systemctl enable --quiet --now nextcloud-cron.timer
systemctl restart "php$php-fpm" nginx

# Working means: a file goes in by WebDAV and comes out as it was.
printf 'floor %s\n' "$hostname" >/tmp/floor.txt
dav="https://$hostname/remote.php/dav/files/admin/floor.txt"
python3 - "$dav" <<'PYTHON'
import base64, os, socket, ssl, sys, urllib.request
content = open("/tmp/floor.txt", "rb").read()
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **options: resolve("127.0.0.1", *rest, **options)
context = ssl.create_default_context(cafile="/etc/ssl/certs/floor.crt")
login = base64.b64encode(f"admin:{os.environ['OC_PASS']}".encode()).decode()
for method, body in (("PUT", content), ("GET", None)):
    request = urllib.request.Request(sys.argv[1], body, {"Authorization": f"Basic {login}"}, method=method)
    answer = urllib.request.urlopen(request, context=context, timeout=60).read()
sys.exit(0 if answer == content else "the file came back altered")
PYTHON
