-- Contract double: requests to this component reach whoever is logged in as its target, and the answers come back.
local base64 = require "util.encodings".base64;
local jid = require "util.jid";
local st = require "util.stanza";

if module:get_host_type() ~= "component" then error("client_proxy is loaded as a component"); end
local target = module:get_option_string("target_address");
if not target then error("'target_address' must not be empty"); end

local function is_target(address) return jid.bare(address) == target; end

-- One of the target's connections; nil while there is none.
local function connection()
	local sessions = prosody.bare_sessions[target];
	for _, session in pairs(sessions and sessions.sessions or {}) do
		if session.full_jid then return session; end
	end
end

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
	local session = connection();
	if not session then
		if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
			event.origin.send(st.error_reply(stanza, "wait", "recipient-unavailable"));
		end
		return true;
	end
	stanza.attr.from = module.host .. "/" .. base64.encode(stanza.attr.from);
	stanza.attr.to = session.full_jid;
	module:send(stanza);
	return true;
end
for _, kind in ipairs { "iq", "message" } do
	module:hook(kind .. "/host", forward, 10);
	module:hook(kind .. "/full", forward, 10);
end
