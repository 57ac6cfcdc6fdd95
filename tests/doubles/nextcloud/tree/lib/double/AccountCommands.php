<?php

declare(strict_types=1);

namespace Double;

/** Users and groups. */
final class AccountCommands
{
    /** @return array<string, \Closure(Input, Settings): int> */
    public static function all(): array
    {
        $with = static fn (\Closure $play): \Closure =>
            static fn (Input $input, Settings $settings): int => $play($input, new Accounts(new Database($settings), $settings), $settings);
        return [
            'user:add' => $with(self::add(...)),
            'user:delete' => $with(self::delete(...)),
            'user:info' => $with(self::info(...)),
            'user:list' => $with(self::list(...)),
            'user:enable' => $with(static fn (Input $input, Accounts $accounts): int => self::able($input, $accounts, true)),
            'user:disable' => $with(static fn (Input $input, Accounts $accounts): int => self::able($input, $accounts, false)),
            'user:lastseen' => $with(self::lastSeen(...)),
            'user:resetpassword' => $with(self::resetPassword(...)),
            'user:setting' => $with(self::setting(...)),
            'group:add' => $with(self::addGroup(...)),
            'group:delete' => $with(self::deleteGroup(...)),
            'group:list' => $with(self::listGroups(...)),
            'group:adduser' => $with(static fn (Input $input, Accounts $accounts): int => self::member($input, $accounts, true)),
            'group:removeuser' => $with(static fn (Input $input, Accounts $accounts): int => self::member($input, $accounts, false)),
        ];
    }

    private static function passwordFromEnvironment(Input $input): ?string
    {
        if (!isset($input->options['password-from-env'])) {
            echo "Interactive input or --password-from-env or --generate-password is needed for setting a password!\n";
            return null;
        }
        $password = getenv('NC_PASS') ?: getenv('OC_PASS');
        if (!$password) {
            echo "--password-from-env given, but NC_PASS/OC_PASS is empty!\n";
            return null;
        }
        return $password;
    }

    private static function add(Input $input, Accounts $accounts): int
    {
        $uid = $input->arguments['uid'];
        if ($accounts->exists($uid)) {
            echo "The account \"$uid\" already exists.\n";
            return 1;
        }
        $password = isset($input->options['generate-password']) ? bin2hex(random_bytes(10)) : self::passwordFromEnvironment($input);
        if ($password === null) {
            return 1;
        }
        try {
            $accounts->create($uid, $password);
        } catch (\Exception $error) {
            echo $error->getMessage(), "\n";
            return 1;
        }
        echo "The account \"$uid\" was created successfully\n";
        if ($name = $input->options['display-name'] ?? null) {
            $accounts->setDisplayName($uid, $name);
            echo "Display name set to \"$name\"\n";
        }
        foreach ($input->options['group'] ?? [] as $group) {
            if (!$accounts->groupExists($group)) {
                $accounts->addGroup($group);
                echo "Created group \"$group\"\n";
            }
            $accounts->join($group, $uid);
            echo "Account \"$uid\" added to group \"$group\"\n";
        }
        if ($address = $input->options['email'] ?? null) {
            $accounts->setPreference($uid, 'settings', 'email', $address);
        }
        return 0;
    }

    private static function delete(Input $input, Accounts $accounts): int
    {
        if (!$accounts->exists($input->arguments['uid'])) {
            echo "User does not exist\n";
            return 0;
        }
        $accounts->delete($input->arguments['uid']);
        echo "The specified user was deleted\n";
        return 0;
    }

    private static function info(Input $input, Accounts $accounts, Settings $settings): int
    {
        $uid = $input->arguments['user'];
        if (!$accounts->exists($uid)) {
            echo "user not found\n";
            return 1;
        }
        $seen = $accounts->preference($uid, 'login', 'lastLogin');
        Console::print($input, [
            'user_id' => $uid,
            'display_name' => $accounts->list()[$uid] ?? $uid,
            'email' => $accounts->preference($uid, 'settings', 'email') ?? '',
            'cloud_id' => "$uid@" . $settings->get('overwrite.cli.url', 'http://localhost'),
            'enabled' => $accounts->isEnabled($uid),
            'groups' => $accounts->groupsOf($uid),
            'quota' => 'none',
            'storage' => [],
            'first_seen' => $seen === null ? 'never' : date(DATE_ATOM, (int) $seen),
            'last_seen' => $seen === null ? 'never' : date(DATE_ATOM, (int) $seen),
            'user_directory' => $settings->get('datadirectory') . "/$uid",
            'backend' => 'Database',
        ]);
        return 0;
    }

    private static function list(Input $input, Accounts $accounts): int
    {
        if (isset($input->options['info'])) {
            throw new Refusal('user:list --info is not played');
        }
        $from = (int) ($input->options['offset'] ?? 0);
        Console::print($input, array_slice($accounts->list(), $from, (int) ($input->options['limit'] ?? 500), true));
        return 0;
    }

    private static function able(Input $input, Accounts $accounts, bool $enabled): int
    {
        $uid = $input->arguments['uid'];
        if (!$accounts->exists($uid)) {
            echo "User does not exist\n";
            return 1;
        }
        $accounts->setPreference($uid, 'core', 'enabled', $enabled ? 'true' : 'false');
        echo 'The specified user is ' . ($enabled ? 'enabled' : 'disabled') . "\n";
        return 0;
    }

    private static function lastSeen(Input $input, Accounts $accounts): int
    {
        $uid = $input->arguments['uid'] ?? throw new Refusal('user:lastseen without a user is not played');
        if (!$accounts->exists($uid)) {
            echo "User does not exist\n";
            return 1;
        }
        $seen = $accounts->preference($uid, 'login', 'lastLogin');
        echo $seen === null ? "$uid has never logged in.\n" : "$uid's last login: " . date('Y-m-d H:i:s e', (int) $seen) . "\n";
        return 0;
    }

    private static function resetPassword(Input $input, Accounts $accounts): int
    {
        $uid = $input->arguments['user'];
        if (!$accounts->exists($uid)) {
            echo "User does not exist\n";
            return 1;
        }
        $password = self::passwordFromEnvironment($input);
        if ($password === null) {
            return 1;
        }
        try {
            $accounts->setPassword($uid, $password);
        } catch (\Exception $error) {
            echo $error->getMessage(), "\n";
            return 1;
        }
        echo "Successfully reset password for $uid\n";
        return 0;
    }

    private static function setting(Input $input, Accounts $accounts): int
    {
        ['uid' => $uid, 'app' => $app, 'key' => $name] = $input->arguments + ['app' => null, 'key' => null];
        if ($app === null || $name === null || array_diff(array_keys($input->options), ['default-value'])) {
            throw new Refusal('of user:setting only the reading and writing of one value is played');
        }
        if (!$accounts->exists($uid)) {
            echo "The user \"$uid\" does not exist.\n";
            return 1;
        }
        if (isset($input->arguments['value'])) {
            $accounts->setPreference($uid, $app, $name, $input->arguments['value']);
            return 0;
        }
        $value = $accounts->preference($uid, $app, $name) ?? $input->options['default-value'] ?? null;
        echo $value === null ? "The setting does not exist for user \"$uid\".\n" : "$value\n";
        return (int) ($value === null);
    }

    private static function addGroup(Input $input, Accounts $accounts): int
    {
        $gid = $input->arguments['groupid'];
        if ($accounts->groupExists($gid)) {
            echo "Group \"$gid\" already exists.\n";
            return 1;
        }
        $accounts->addGroup($gid);
        echo "Created group \"$gid\"\n";
        return 0;
    }

    private static function deleteGroup(Input $input, Accounts $accounts): int
    {
        $gid = $input->arguments['groupid'];
        if ($gid === 'admin' || !$accounts->groupExists($gid)) {
            echo $gid === 'admin' ? "Group \"$gid\" could not be deleted.\n" : "Group \"$gid\" does not exist.\n";
            return 1;
        }
        $accounts->removeGroup($gid);
        echo "Group \"$gid\" was removed\n";
        return 0;
    }

    private static function listGroups(Input $input, Accounts $accounts): int
    {
        Console::print($input, $accounts->groups());
        return 0;
    }

    private static function member(Input $input, Accounts $accounts, bool $joins): int
    {
        $gid = $input->arguments['group'];
        if (!$accounts->groupExists($gid)) {
            echo "group not found\n";
            return 1;
        }
        foreach ((array) $input->arguments['user'] as $uid) {
            if (!$accounts->exists($uid)) {
                echo "user $uid not found\n";
                return 1;
            }
            $joins ? $accounts->join($gid, $uid) : $accounts->leave($gid, $uid);
            echo "user $uid " . ($joins ? 'added' : 'removed') . "\n";
        }
        return 0;
    }
}
