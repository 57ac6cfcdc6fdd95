-- Contract double: prosodyctl mod_roster_command subscribe|unsubscribe USER CONTACT|test USER
local jid_split = require "util.jid".prepped_split;
local rostermanager = require "core.rostermanager";
local storagemanager = require "core.storagemanager";
local usermanager = require "core.usermanager";

local function set(user, contact, subscription)
	local name, host = jid_split(contact);
	if not name then name, host, user, contact = jid_split(user), select(2, jid_split(user)), contact, user; end
	if not prosody.hosts[host] then error("no such host: " .. tostring(host)); end
	storagemanager.initialize_host(host);
	usermanager.initialize_host(host);
	local roster = rostermanager.load_roster(name, host);
	roster[user] = subscription and { subscription = "both", groups = {}, persist = true } or nil;
	return rostermanager.save_roster(name, host, roster);
end

function module.command(arguments)
	local verb, user, contact = arguments[1], arguments[2], arguments[3];
	if verb ~= "subscribe" and verb ~= "unsubscribe" or not contact then
		print("Usage: prosodyctl mod_roster_command subscribe|unsubscribe user@host contact@host");
		return 1;
	end
	return set(user, contact, verb == "subscribe") and 0 or 1;
end
