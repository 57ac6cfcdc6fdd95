-- Contract double: a token opens the room that it names, and no other one.
local is_admin = module:require "util".is_admin;
local jid = require "util.jid";
local st = require "util.stanza";

local parent = module.host:match("^[%w-]+%.(.+)$");
local tokens = parent and module:require "token/util".new(module:context(parent));
if not tokens then
	module:log("error", "Failed to start - unable to get parent context for host: %s", tostring(parent));
	return;
end
local for_moderation = module:get_option_boolean("token_verification_require_token_for_moderation");
local allowlist = module:get_option_set("token_verification_allowlist", {});

local function refuse(session, stanza, reason)
	session.send(st.error_reply(stanza, "cancel", "not-allowed", reason));
	return true;
end

local function verify(event)
	local session, stanza = event.origin, event.stanza;
	local from = stanza.attr.from;
	local _, domain = jid.split(from);
	if is_admin(from) or allowlist:contains(domain) or allowlist:contains(jid.bare(from)) then return; end
	if not tokens:verify_room(session, stanza.attr.to) then
		module:log("error", "User %s not allowed to join: %s", from, stanza.attr.to);
		return refuse(session, stanza, "Room and token mismatched");
	end
end
module:hook("muc-room-pre-create", verify, 99);
module:hook("muc-occupant-pre-join", verify, 99);

local function verify_owner(event)
	local session, stanza = event.origin, event.stanza;
	if for_moderation and not is_admin(stanza.attr.from) and not (session.auth_token and session.jitsi_meet_room) then
		return refuse(session, stanza, "Room modification disabled for guests");
	end
end
module:hook("iq-set/bare/http://jabber.org/protocol/muc#owner:query", verify_owner, -1);
module:hook("iq-set/host/http://jabber.org/protocol/muc#owner:query", verify_owner, -1);
