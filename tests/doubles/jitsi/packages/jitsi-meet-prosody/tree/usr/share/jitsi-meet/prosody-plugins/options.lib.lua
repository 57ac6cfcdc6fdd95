-- Contract double: a module that lacks an option does not load.
local M = {};

function M.need(names)
	for _, name in ipairs(names) do
		if module:get_option(name) == nil then
			error("'" .. name .. "' must be set for " .. module.name .. " on " .. module.host);
		end
	end
end

return M;
