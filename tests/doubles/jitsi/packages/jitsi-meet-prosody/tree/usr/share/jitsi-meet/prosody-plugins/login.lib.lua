-- Contract double: a log-in without a password, under a name made up here, for those whom a module admits.
-- `admit` is asked before there is a name and `confirm` after; both answer true, or false with a condition and a reason.
local new_sasl = require "util.sasl".new;
local sasl = require "util.sasl";
local uuid = require "util.uuid".generate;

return function (admit, confirm)
	local provider = {};
	local function refuse() return nil, "Not supported"; end
	provider.test_password, provider.set_password, provider.create_user, provider.delete_user = refuse, refuse, refuse, refuse;
	function provider.get_password() return nil; end
	function provider.user_exists() return nil; end
	function provider.get_sasl_handler(session)
		return new_sasl(module.host, {
			anonymous = function (self, username)
				local admitted, condition, reason = admit(session);
				if not admitted then return admitted, condition, reason; end
				self.username = prosody.events.fire_event("pre-jitsi-authentication", session) or username;
				return confirm(session);
			end;
		});
	end
	module:provides("auth", provider);

	-- The mechanism is the whole server's: the host that is loaded last answers for all, by each session's own profile.
	sasl.registerMechanism("ANONYMOUS", { "anonymous" }, function (self)
		local result, condition, reason = self.profile.anonymous(self, uuid(), self.realm);
		if result == true then return "success"; end
		return "failure", condition, reason;
	end);
end
