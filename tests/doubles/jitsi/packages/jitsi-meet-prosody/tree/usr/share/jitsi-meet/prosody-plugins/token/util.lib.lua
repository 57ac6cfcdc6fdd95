-- Contract double: JSON Web Tokens (HS256) as Jitsi's modules take them, with the options that those read.
local basexx = require "basexx";
local hmac = require "openssl.hmac";
local jid = require "util.jid";
local json = require "cjson.safe";

local Tokens = {};
Tokens.__index = Tokens;

-- What verifies the tokens of a host; nil where the host is not set up for tokens.
function Tokens.new(host)
	local self = setmetatable({
		app_id = host:get_option_string("app_id");
		app_secret = host:get_option_string("app_secret");
		allow_empty = host:get_option_boolean("allow_empty_token");
		issuers = host:get_option_array("asap_accepted_issuers", { host:get_option_string("app_id") });
		audiences = host:get_option_array("asap_accepted_audiences", { "*" });
		needs_room = host:get_option_boolean("asap_require_room_claim", true);
		verifies_domain = host:get_option_boolean("enable_domain_verification", false);
		domain = host:get_option_string("muc_mapper_domain_base");
		prefix = host:get_option_string("muc_mapper_domain_prefix", "conference");
	}, Tokens);
	if not self.app_id or not self.app_secret then
		host:log("error", "'app_id' and 'app_secret' must not be empty");
		return nil;
	end
	return self;
end

local function among(list, value)
	for _, item in ipairs(list) do
		if item == "*" or item == value then return true; end
	end
	return false;
end

-- Without a branch on where two texts differ.
local function equal(one, other)
	if #one ~= #other then return false; end
	local different = 0;
	for i = 1, #one do
		different = different + (one:byte(i) == other:byte(i) and 0 or 1);
	end
	return different == 0;
end

-- The claims of a token, or nil and what is wrong with it.
function Tokens:verify(token)
	local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$");
	if not head then return nil, "Invalid token"; end
	local header = json.decode(basexx.from_url64(head) or "");
	local claims = json.decode(basexx.from_url64(body) or "");
	if type(header) ~= "table" or type(claims) ~= "table" then return nil, "Invalid JSON"; end
	if header.typ ~= "JWT" then return nil, "Invalid typ"; end
	if header.alg ~= "HS256" then return nil, "Algorithm not supported"; end
	local wanted = hmac.new(self.app_secret, "sha256"):final(head .. "." .. body);
	if not equal(wanted, basexx.from_url64(signature) or "") then return nil, "Invalid signature"; end
	if claims.exp and (type(claims.exp) ~= "number" or os.time() >= claims.exp) then
		return nil, "Not acceptable by exp";
	end
	if claims.nbf and (type(claims.nbf) ~= "number" or os.time() < claims.nbf) then
		return nil, "Not acceptable by nbf";
	end
	if not claims.iss or not among(self.issuers, claims.iss) then return nil, "Invalid issuer ('iss' claim)"; end
	if self.needs_room and not claims.room then return nil, "'room' claim is missing"; end
	if not claims.aud or not among(self.audiences, claims.aud) then return nil, "Invalid audience ('aud' claim)"; end
	return claims;
end

-- Verify the session's token and keep its claims in the session: true, or false and an error.
function Tokens:process_and_verify_token(session)
	if session.auth_token == nil then
		if self.allow_empty then return true; end
		return false, "not-allowed", "token required";
	end
	local claims, problem = self:verify(session.auth_token);
	if not claims then return false, "not-allowed", problem; end
	session.jitsi_meet_room = claims.room;
	session.jitsi_meet_domain = claims.sub;
	local context = type(claims.context) == "table" and claims.context or {};
	session.jitsi_meet_context_user = context.user;
	session.jitsi_meet_context_group = context.group;
	session.jitsi_meet_context_features = context.features;
	return true;
end

-- Whether a session's token is for this room.
function Tokens:verify_room(session, address)
	if self.allow_empty and session.auth_token == nil then return true; end
	local room, host = jid.split(address);
	local allowed = session.jitsi_meet_room;
	if not self.verifies_domain then
		return not allowed or allowed == "*" or room == allowed:lower();
	end
	local domain = session.jitsi_meet_domain;
	local base = domain == "*" and self.domain or domain;
	return (allowed == "*" or room == (allowed or ""):lower()) and host == self.prefix .. "." .. tostring(base);
end

return Tokens;
