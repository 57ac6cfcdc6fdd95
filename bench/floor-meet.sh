#!/bin/sh
# The floor of the bench, continued: a working Jitsi Meet in the spirit of floor.sh, which has installed Debian's packages.
# What lies there before Jitsi's packages, their scripts leave as it is; they join it up and start it. In the release's
# order, in which Prosody's come before those that log in to it: Jicofo does not find back to a Prosody that restarts.
# usage: floor-meet.sh HOSTNAME DEB...
set -eu

hostname=$1
shift
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
secret=$(openssl rand -hex 24)

cat >/etc/turnserver.conf <<TURN
realm=$hostname
use-auth-secret
static-auth-secret=$secret
TURN

cat >/etc/prosody/prosody.cfg.lua <<LUA
plugin_paths = { "/usr/share/jitsi-meet/prosody-plugins" }
modules_enabled = { "disco", "ping", "roster", "saslauth" }
modules_disabled = { "offline", "s2s", "tls" }
pidfile = "/run/prosody/prosody.pid"
log = { info = "*console" }
authentication = "internal_hashed"
c2s_interfaces = { "127.0.0.1" }
c2s_require_encryption = false
http_interfaces = { "127.0.0.1" }
https_ports = {}
consider_bosh_secure = true
consider_websocket_secure = true
component_admins_as_room_owners = true
unlimited_jids = { "focus@auth.$hostname", "jvb@auth.$hostname" }
Include "conf.d/*.cfg.lua"
LUA
cat >"/etc/prosody/conf.avail/$hostname.cfg.lua" <<LUA
muc_mapper_domain_base = "$hostname"
external_service_secret = "$secret"
external_services = { { type = "turn", host = "$hostname", port = 3478, transport = "udp", secret = true, algorithm = "turn" } }
VirtualHost "$hostname"
    authentication = "token"
    app_id = "floor"
    app_secret = "$secret"
    signature_algorithm = "HS256"
    allow_empty_token = false
    modules_enabled = { "bosh", "websocket", "smacks", "external_services" }
VirtualHost "auth.$hostname"
    modules_enabled = { "limits_exception", "smacks" }
Component "conference.$hostname" "muc"
    storage = "memory"
    admins = { "focus@auth.$hostname" }
    muc_room_locking = false
    muc_room_default_public_jids = true
    modules_enabled = { "muc_meeting_id", "muc_domain_mapper", "token_verification" }
Component "internal.auth.$hostname" "muc"
    storage = "memory"
    admins = { "focus@auth.$hostname", "jvb@auth.$hostname" }
    muc_room_locking = false
    muc_room_default_public_jids = true
Component "focus.$hostname" "client_proxy"
    target_address = "focus@auth.$hostname"
LUA
ln -s "../conf.avail/$hostname.cfg.lua" /etc/prosody/conf.d/
# Debian has basexx, which the tokens take, for Lua 5.2 alone.
mkdir -p /etc/systemd/system/prosody.service.d
printf '[Service]\nEnvironment="LUA_PATH=/usr/share/lua/5.2/?.lua;;"\n' >/etc/systemd/system/prosody.service.d/floor.conf
systemctl daemon-reload
prosodyctl register focus "auth.$hostname" "$secret"
prosodyctl register jvb "auth.$hostname" "$secret"

mkdir -p /etc/jitsi/jicofo /etc/jitsi/videobridge /etc/jitsi/meet
cat >/etc/jitsi/jicofo/jicofo.conf <<HOCON
jicofo {
  bridge.brewery-jid = "jvbbrewery@internal.auth.$hostname"
  health.enabled = true
  xmpp {
    client {
      hostname = "localhost"
      domain = "auth.$hostname"
      xmpp-domain = "$hostname"
      username = "focus"
      password = "$secret"
      conference-muc-jid = "conference.$hostname"
      client-proxy = "focus.$hostname"
      use-tls = false
    }
    trusted-domains = []
  }
}
HOCON
cat >/etc/jitsi/videobridge/jvb.conf <<HOCON
videobridge {
  apis.xmpp-client.configs.floor {
    HOSTNAME = "localhost"
    DOMAIN = "auth.$hostname"
    USERNAME = "jvb"
    PASSWORD = "$secret"
    MUC_JIDS = "jvbbrewery@internal.auth.$hostname"
    MUC_NICKNAME = "floor"
    SECURITY_MODE = "disabled"
  }
  health.require-valid-address = false
}
ice4j.harvest.mapping {
  aws.enabled = false
  stun.addresses = []
}
HOCON
cat >"/etc/jitsi/meet/$hostname-config.js" <<JS
var config = { hosts: { domain: '$hostname', muc: 'conference.$hostname' }, bosh: 'https://$hostname/http-bind',
    websocket: 'wss://$hostname/xmpp-websocket' };
JS

debconf-set-selections <<SELECTIONS
jitsi-videobridge2 jitsi-videobridge/jvb-hostname string $hostname
jitsi-meet-prosody jitsi-meet/cert-choice select I want to use my own certificate
jitsi-meet-prosody jitsi-meet/jaas-choice boolean false
jitsi-videobridge2 jitsi-videobridge/jvbsecret password $secret
jicofo jicofo/jicofo-authpassword password $secret
SELECTIONS
dpkg --install "$@" >/dev/null

echo "127.0.0.1 $hostname" >>/etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$hostname" \
    -addext "subjectAltName=DNS:$hostname" -keyout /etc/ssl/private/meet.key -out /etc/ssl/certs/meet.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/meet <<NGINX
server {
    listen 443 ssl;
    server_name $hostname;
    ssl_certificate /etc/ssl/certs/meet.crt;
    ssl_certificate_key /etc/ssl/private/meet.key;
    root /usr/share/jitsi-meet;
    ssi on;
    location = /config.js { alias /etc/jitsi/meet/$hostname-config.js; }
    location / { try_files \$uri /index.html; }
    proxy_http_version 1.1;
    proxy_set_header Host \$host;
    location = /http-bind { proxy_pass http://127.0.0.1:5280; }
    location = /xmpp-websocket {
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:5280;
    }
}
NGINX
systemctl restart nginx coturn

# Working means: Jicofo is healthy and counts one videobridge, and the page and Prosody answer through nginx.
python3 - "$hostname" <<'PYTHON'
import re, ssl, sys, time, urllib.request
context = ssl.create_default_context(cafile="/etc/ssl/certs/meet.crt")
def ask(url):
    return urllib.request.urlopen(url, context=context, timeout=60).read().decode()
def ready():
    try:
        ask("http://127.0.0.1:8888/about/health")
        metrics = ask("http://127.0.0.1:8888/metrics")
    except OSError:
        return False
    return re.search(r"^jitsi_jicofo_bridge_selector_bridge_count 1(\.0)?$", metrics, re.MULTILINE)
end = time.monotonic() + 120
while not ready():
    if time.monotonic() > end:
        sys.exit("Jicofo is not healthy, or counts no videobridge")
    time.sleep(0.2)
if "config = {" not in ask(f"https://{sys.argv[1]}/floor") or "BOSH" not in ask(f"https://{sys.argv[1]}/http-bind"):
    sys.exit("the page or Prosody does not answer as it should")
PYTHON
