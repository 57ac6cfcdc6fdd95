-- Contract double: whoever comes with a token in the address of BOSH or of the websocket has to come with a good one.
local formdecode = require "util.http".formdecode;
local new_sasl = require "util.sasl".new;
local sasl = require "util.sasl";
local uuid = require "util.uuid".generate;

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

local provider = {};
local function refuse() return nil, "Not supported"; end
provider.test_password, provider.set_password, provider.create_user, provider.delete_user = refuse, refuse, refuse, refuse;
function provider.get_password() return nil; end
function provider.user_exists() return nil; end
function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function (self, username)
			local fetched = prosody.events.fire_event("pre-jitsi-authentication-fetch-key", session);
			if fetched and fetched.res == false then return false, fetched.error, fetched.reason; end
			local result, condition, reason = tokens:process_and_verify_token(session);
			if not result then
				module:log("warn", "Error verifying token err:%s, reason:%s", condition, reason);
				session.auth_token = nil;
				return result, condition, reason;
			end
			self.username = prosody.events.fire_event("pre-jitsi-authentication", session) or username;
			local after = prosody.events.fire_event("post-jitsi-authentication", session);
			if after and after.res == false then return false, after.error, after.reason; end
			return true;
		end;
	});
end
module:provides("auth", provider);

sasl.registerMechanism("ANONYMOUS", { "anonymous" }, function (self)
	local result, condition, reason = self.profile.anonymous(self, uuid(), self.realm);
	if result == true then return "success"; end
	return "failure", condition, reason;
end);
