-- Contract double: whoever comes with a token in the address of BOSH or of the websocket has to come with a good one.
local formdecode = require "util.http".formdecode;

local tokens = module:require "token/util".new(module);
if not tokens then return; end

local function keep_token(event)
	local query = event.request.url.query;
	local parameters = query and formdecode(query) or {};
	event.session.auth_token = parameters.token;
	event.session.jitsi_web_query_room = parameters.room;
	event.session.jitsi_web_query_prefix = parameters.prefix or "";
end
module:hook_global("bosh-session", keep_token);
module:hook_global("websocket-session", keep_token);

local function admit(session)
	local fetched = prosody.events.fire_event("pre-jitsi-authentication-fetch-key", session);
	if fetched and fetched.res == false then return false, fetched.error, fetched.reason; end
	local result, condition, reason = tokens:process_and_verify_token(session);
	if not result then
		module:log("warn", "Error verifying token err:%s, reason:%s", condition, reason);
		session.auth_token = nil;
	end
	return result, condition, reason;
end

local function confirm(session)
	local after = prosody.events.fire_event("post-jitsi-authentication", session);
	if after and after.res == false then return false, after.error, after.reason; end
	return true;
end

module:require "login" (admit, confirm);
