-- Contract double: anybody may come in.
local function anybody() return true; end

module:require "login" (anybody, anybody);
