-- Contract double: guests come in once somebody with a token is there. The real one lets them wait in the lobby.
local is_admin = module:require "util".is_admin;
local st = require "util.stanza";

local function authenticated(session) return session.auth_token ~= nil and session.jitsi_meet_room ~= nil; end

module:hook("muc-occupant-pre-join", function (event)
	local room, session, stanza = event.room, event.origin, event.stanza;
	if is_admin(stanza.attr.from) then return; end
	if authenticated(session) then
		room._data.has_host = true;
		return;
	end
	if not room._data.has_host then
		session.send(st.error_reply(stanza, "auth", "registration-required", "Waiting for the host"));
		return true;
	end
end, 8);
