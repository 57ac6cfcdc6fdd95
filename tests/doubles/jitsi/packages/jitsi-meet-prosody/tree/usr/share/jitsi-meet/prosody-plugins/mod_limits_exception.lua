-- Contract double: those named in unlimited_jids may send as much as they want.
local unlimited = module:get_option_inherited_set("unlimited_jids", {});
if unlimited:empty() then error("'unlimited_jids' must not be empty"); end

module:hook("authentication-success", function (event)
	local session = event.session;
	if unlimited:contains(tostring(session.username) .. "@" .. tostring(session.host)) then
		session.throttle = nil;
	end
end);
