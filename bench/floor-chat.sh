#!/bin/sh
# The floor of the bench, continued: a working Mattermost in the spirit of floor.sh, which has installed the packages.
# usage: floor-chat.sh ARCHIVE HOSTNAME
set -eu

archive=$1
hostname=$2
export LC_ALL=C.UTF-8
code=/opt/mattermost

tar -x -f "$archive" -C /opt
useradd --system --home-dir "$code" mattermost
chown -R mattermost "$code"

runuser -u postgres -- createuser mattermost
runuser -u postgres -- createdb --owner mattermost mattermost

cat >/etc/systemd/system/mattermost.service <<UNIT
[Service]
Type=notify
User=mattermost
WorkingDirectory=$code
Environment=MM_SERVICESETTINGS_SITEURL=https://$hostname MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:8065
Environment=MM_SERVICESETTINGS_ENABLELOCALMODE=true MM_SQLSETTINGS_DRIVERNAME=postgres
Environment=MM_SQLSETTINGS_DATASOURCE=postgres://mattermost@/mattermost?host=/run/postgresql&sslmode=disable
ExecStart=$code/bin/mattermost
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet --now mattermost

echo "127.0.0.1 $hostname" >>/etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$hostname" \
    -addext "subjectAltName=DNS:$hostname" -keyout /etc/ssl/private/chat.key -out /etc/ssl/certs/chat.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/chat <<NGINX
server {
    listen 443 ssl;
    server_name $hostname;
    ssl_certificate /etc/ssl/certs/chat.crt;
    ssl_certificate_key /etc/ssl/private/chat.key;
    client_max_body_size 100m;
    proxy_http_version 1.1;
    proxy_set_header Host \$host;
    proxy_set_header X-Forwarded-Proto https;
    location / { proxy_pass http://127.0.0.1:8065; }
    location ~ /api/v[0-9]+/(users/)?websocket\$ {
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:8065;
    }
}
NGINX
systemctl restart nginx

mmctl() { runuser -u mattermost -- env HOME="$code" "$code/bin/mmctl" --local --quiet "$@"; }
password=Floor-$(openssl rand -hex 16)
mmctl user create --system-admin --email-verified --username admin --email admin@example.org --password "$password"
mmctl team create --name floor --display-name Floor
mmctl team users add floor admin

# Working means: a message goes in through nginx and is read back as it was.
python3 - "https://$hostname/api/v4" "$password" <<'PYTHON'
import json, ssl, sys, urllib.request
api, password = sys.argv[1:]
context = ssl.create_default_context(cafile="/etc/ssl/certs/chat.crt")
headers = {"Content-Type": "application/json"}
def ask(path, body=None):
    request = urllib.request.Request(f"{api}/{path}", json.dumps(body).encode() if body else None, headers)
    answer = urllib.request.urlopen(request, context=context, timeout=60)
    return answer.headers, json.load(answer)
headers["Authorization"] = "Bearer " + ask("users/login", {"login_id": "admin", "password": password})[0]["Token"]
channel = ask("teams/name/floor/channels/name/town-square")[1]["id"]
post = ask("posts", {"channel_id": channel, "message": f"floor of {api}"})[1]["id"]
sys.exit(0 if ask(f"posts/{post}")[1]["message"] == f"floor of {api}" else "the message came back altered")
PYTHON
