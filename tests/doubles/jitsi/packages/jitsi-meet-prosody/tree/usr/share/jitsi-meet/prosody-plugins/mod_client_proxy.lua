-- Contract double: requests to this component reach whoever is logged in as its target, and the answers come back.
local base64 = require "util.encodings".base64;
local jid = require "util.jid";
local st = require "util.stanza";

if module:get_host_type() ~= "component" then error("client_proxy is loaded as a component"); end
local target = module:get_option_string("target_address");
if not target then error("'target_address' must not be empty"); end

local function is_target(address) return jid.bare(address) == target; end

-- Where the target is logged in. Its presence comes here only while the component is in its roster.
local connections = {};

module:hook("presence/host", function (event)
	local from, kind = event.stanza.attr.from, event.stanza.attr.type;
	if not is_target(from) or from == target then return; end
	if kind == nil or kind == "unavailable" then
		connections[from] = kind == nil or nil;
		return true;
	end
end, 10);
module:send(st.presence { type = "subscribe", from = module.host, to = target });

local function forward(event)
	local stanza = st.clone(event.stanza);
	if is_target(stanza.attr.from) then
		-- An answer, or a request for the one whom the resource names.
		local encoded = select(3, jid.split(stanza.attr.to));
		local client = encoded and base64.decode(encoded);
		if not client then return; end
		stanza.attr.to, stanza.attr.from = client, module.host;
		module:send(stanza);
		return true;
	end
	local connection = next(connections);
	if not connection then
		if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
			event.origin.send(st.error_reply(stanza, "cancel", "service-unavailable"));
		end
		return true;
	end
	stanza.attr.from = module.host .. "/" .. base64.encode(stanza.attr.from);
	stanza.attr.to = connection;
	module:send(stanza);
	return true;
end
for _, kind in ipairs { "iq", "message" } do
	module:hook(kind .. "/host", forward, 10);
	module:hook(kind .. "/full", forward, 10);
end
