<?php

declare(strict_types=1);

namespace Double;

/** Users and groups. */
final class Accounts
{
    public function __construct(private Database $database, private Settings $settings)
    {
    }

    public function exists(string $uid): bool
    {
        return $this->database->value('select 1 from {users} where uid_lower = ?', [mb_strtolower($uid)]) !== false;
    }

    public function groupExists(string $gid): bool
    {
        return $this->database->value('select 1 from {groups} where gid = ?', [$gid]) !== false;
    }

    /** @return string why the password is not good enough; empty when it is */
    public function judgePassword(string $password): string
    {
        if ($this->database->appValue('password_policy', 'enabled') !== 'yes') {
            return '';
        }
        $least = (int) ($this->database->appValue('password_policy', 'minLength') ?? '10');
        return mb_strlen($password) < $least ? "Password needs to be at least $least characters long." : '';
    }

    public function create(string $uid, string $password): void
    {
        if (preg_match('/^[a-zA-Z0-9 _.@\'-]+$/', $uid) !== 1 || trim($uid) !== $uid) {
            throw new \Exception(
                'Only the following characters are allowed in an Login: "a-z", "A-Z", "0-9", spaces and "_.@-\'"',
            );
        }
        if ($why = $this->judgePassword($password)) {
            throw new \Exception($why);
        }
        $this->database->run(
            'insert into {users} (uid, password, uid_lower) values (?, ?, ?)',
            [$uid, $this->hash($password), mb_strtolower($uid)],
        );
        $this->audit("User created: \"$uid\"");
    }

    /** Writes a line to the audit log, as the app admin_audit does. */
    private function audit(string $message): void
    {
        $file = $this->settings->get('logfile_audit');
        if (!$file || $this->database->appValue('admin_audit', 'enabled') !== 'yes') {
            return;
        }
        $new = !file_exists($file);
        $line = ['level' => 1, 'time' => date('c'), 'app' => 'admin_audit', 'message' => $message];
        file_put_contents($file, json_encode($line) . "\n", FILE_APPEND | LOCK_EX);
        if ($new) {
            chmod($file, 0640);
        }
    }

    private function hash(string $password): string
    {
        return '3|' . password_hash($password, PASSWORD_ARGON2ID);
    }

    public function setPassword(string $uid, string $password): void
    {
        if ($why = $this->judgePassword($password)) {
            throw new \Exception($why);
        }
        $this->database->run('update {users} set password = ? where uid = ?', [$this->hash($password), $uid]);
    }

    public function setDisplayName(string $uid, string $name): void
    {
        $this->database->run('update {users} set displayname = ? where uid = ?', [$name, $uid]);
    }

    public function addGroup(string $gid): void
    {
        $this->database->run('insert into {groups} values (?, ?)', [$gid, $gid]);
    }

    public function removeGroup(string $gid): void
    {
        $this->database->run('delete from {groups} where gid = ?', [$gid]);
        $this->database->run('delete from {group_user} where gid = ?', [$gid]);
    }

    public function join(string $gid, string $uid): void
    {
        $this->database->run('insert into {group_user} values (?, ?) on conflict do nothing', [$gid, $uid]);
    }

    public function leave(string $gid, string $uid): void
    {
        $this->database->run('delete from {group_user} where gid = ? and uid = ?', [$gid, $uid]);
    }

    /** @return list<string> */
    public function groupsOf(string $uid): array
    {
        $rows = $this->database->rows('select gid from {group_user} where uid = ? order by gid', [$uid]);
        return array_column($rows, 'gid');
    }

    /** @return array<string, list<string>> group -> members */
    public function groups(): array
    {
        $groups = [];
        foreach ($this->database->rows('select gid from {groups} order by gid') as $row) {
            $members = $this->database->rows('select uid from {group_user} where gid = ? order by uid', [$row['gid']]);
            $groups[$row['gid']] = array_column($members, 'uid');
        }
        return $groups;
    }

    /** @return array<string, string> uid -> display name */
    public function list(string $search = ''): array
    {
        $rows = $this->database->rows(
            "select uid, coalesce(nullif(displayname, ''), uid) as name from {users} where uid_lower like ? order by uid_lower",
            ['%' . addcslashes(mb_strtolower($search), '%_\\') . '%'],
        );
        return array_column($rows, 'name', 'uid');
    }

    public function delete(string $uid): void
    {
        foreach (['users' => 'uid', 'group_user' => 'uid', 'preferences' => 'userid', 'filecache' => 'owner'] as $table => $column) {
            $this->database->run("delete from {{$table}} where $column = ?", [$uid]);
        }
        Files::removeTree($this->settings->get('datadirectory') . '/' . $uid);
    }

    public function preference(string $uid, string $app, string $name): ?string
    {
        $value = $this->database->value(
            'select configvalue from {preferences} where userid = ? and appid = ? and configkey = ?',
            [$uid, $app, $name],
        );
        return $value === false ? null : $value;
    }

    public function setPreference(string $uid, string $app, string $name, string $value): void
    {
        $this->database->run(
            'insert into {preferences} values (?, ?, ?, ?) on conflict (userid, appid, configkey) do update set configvalue = excluded.configvalue',
            [$uid, $app, $name, $value],
        );
    }

    public function isEnabled(string $uid): bool
    {
        return $this->preference($uid, 'core', 'enabled') !== 'false';
    }

    /** The account of a name and a password, or null. */
    public function authenticate(string $uid, string $password): ?string
    {
        $row = $this->database->run('select uid, password from {users} where uid_lower = ?', [mb_strtolower($uid)])->fetch();
        if (!$row || !password_verify($password, substr($row['password'], 2)) || !$this->isEnabled($row['uid'])) {
            return null;
        }
        $this->setPreference($row['uid'], 'login', 'lastLogin', (string) time());
        $this->audit("Login successful: \"{$row['uid']}\"");
        return $row['uid'];
    }
}
