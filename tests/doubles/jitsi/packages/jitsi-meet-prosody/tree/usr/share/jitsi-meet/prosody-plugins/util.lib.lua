-- Contract double: what Jitsi's modules share.
local jid_bare = require "util.jid".bare;
local usermanager = require "core.usermanager";

local M = {};

-- Prosody 13 knows administrators by their role.
function M.is_admin(jid)
	if usermanager.is_admin then return usermanager.is_admin(jid_bare(jid), module.host); end
	return module:get_option_inherited_set("admins", {}):contains(jid_bare(jid));
end

return M;
