-- Contract double: guests come in once a host is there. The real one lets them wait in the lobby.
-- Who is a host is asked with the event room_has_host, as the real one does; its own answer is: everybody with a token.
local is_admin = module:require "util".is_admin;
local st = require "util.stanza";
local only_waits = module:get_option_boolean("wait_for_host_disable_auto_owners", false);

local function authenticated(session) return session.auth_token ~= nil and session.jitsi_meet_room ~= nil; end

module:hook("muc-occupant-pre-join", function (event)
	local room, session, stanza = event.room, event.origin, event.stanza;
	if is_admin(stanza.attr.from) or room._data.has_host then return; end
	if module:fire_event("room_has_host", { room = room, occupant = event.occupant, session = session }) then
		room._data.has_host = true;
		return;
	end
	session.send(st.error_reply(stanza, "auth", "registration-required", "Waiting for the host"));
	return true;
end, 8);

module:hook("room_has_host", function (event)
	if authenticated(event.session) then return true; end
end);

if not only_waits then
	module:hook("muc-occupant-joined", function (event)
		if authenticated(event.origin) then
			event.room:set_affiliation(true, event.occupant.bare_jid, "owner");
		end
	end, 2);
end
