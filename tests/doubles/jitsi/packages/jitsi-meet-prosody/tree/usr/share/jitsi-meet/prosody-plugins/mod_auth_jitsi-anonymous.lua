-- Contract double: anybody may come in, under a name made up here.
local new_sasl = require "util.sasl".new;
local sasl = require "util.sasl";
local uuid = require "util.uuid".generate;

local provider = {};
local function refuse() return nil, "Not supported"; end
provider.test_password, provider.set_password, provider.create_user, provider.delete_user = refuse, refuse, refuse, refuse;
function provider.get_password() return nil; end
function provider.user_exists() return nil; end
function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function (self, username)
			self.username = prosody.events.fire_event("pre-jitsi-authentication", session) or username;
			return true;
		end;
	});
end
module:provides("auth", provider);

sasl.registerMechanism("ANONYMOUS", { "anonymous" }, function (self)
	-- The mechanism is the whole server's: where this module is loaded last, it answers for tokens too.
	local result, condition, reason = self.profile.anonymous(self, uuid(), self.realm);
	if result == true then return "success"; end
	return "failure", condition, reason;
end);
