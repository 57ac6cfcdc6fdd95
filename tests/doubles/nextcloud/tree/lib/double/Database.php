<?php

declare(strict_types=1);

namespace Double;

/** The tables in PostgreSQL, named and shaped after Nextcloud's where sovstack looks at them. */
final class Database
{
    private const SCHEMA = [
        'migrations' => 'app varchar(255) not null, version varchar(255) not null, primary key (app, version)',
        'appconfig' => 'appid varchar(32) not null, configkey varchar(64) not null, configvalue text, primary key (appid, configkey)',
        'preferences' => 'userid varchar(64) not null, appid varchar(32) not null, configkey varchar(64) not null, configvalue text, primary key (userid, appid, configkey)',
        'users' => 'uid varchar(64) not null primary key, displayname varchar(64), password varchar(255) not null, uid_lower varchar(64) not null',
        'groups' => 'gid varchar(64) not null primary key, displayname varchar(255) not null',
        'group_user' => 'gid varchar(64) not null, uid varchar(64) not null, primary key (gid, uid)',
        'jobs' => 'id bigserial primary key, class varchar(255) not null, argument text not null, last_run bigint not null default 0',
        'filecache' => 'fileid bigserial primary key, owner varchar(64) not null, path varchar(4000) not null, size bigint not null, mtime bigint not null, etag varchar(40) not null, unique (owner, path)',
    ];
    private const JOBS = [
        'OC\\Authentication\\Token\\TokenCleanupJob',
        'OCA\\Files_Trashbin\\BackgroundJob\\ExpireTrash',
        'OCA\\Files_Versions\\BackgroundJob\\ExpireVersions',
        'OCA\\UserStatus\\BackgroundJob\\ClearOldStatusesBackgroundJob',
    ];

    private \PDO $connection;
    private string $prefix;

    public function __construct(Settings $settings, array $overrides = [])
    {
        $get = static fn (string $name, mixed $default = '') => $overrides[$name] ?? $settings->get($name, $default);
        if ($get('dbtype', 'sqlite') !== 'pgsql') {
            throw new Refusal("the database type '{$get('dbtype', 'sqlite')}' is not played, only pgsql");
        }
        $this->prefix = $get('dbtableprefix', 'oc_');
        [$host, $port] = [...explode(':', (string) $get('dbhost', 'localhost'), 2), '5432'];
        $this->connection = new \PDO(
            "pgsql:host=$host;port=$port;dbname={$get('dbname')}",
            $get('dbuser'),
            $get('dbpassword'),
            [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_DEFAULT_FETCH_MODE => \PDO::FETCH_ASSOC],
        );
    }

    /** Runs a statement; {name} stands for the table of that name. */
    public function run(string $sql, array $values = []): \PDOStatement
    {
        $statement = $this->connection->prepare(
            preg_replace_callback('/\{(\w+)\}/', fn (array $match) => "\"$this->prefix$match[1]\"", $sql),
        );
        $statement->execute($values);
        return $statement;
    }

    public function value(string $sql, array $values = []): mixed
    {
        return $this->run($sql, $values)->fetchColumn();
    }

    /** @return list<array<string, mixed>> */
    public function rows(string $sql, array $values = []): array
    {
        return $this->run($sql, $values)->fetchAll();
    }

    public function serverVersion(): string
    {
        return (string) $this->connection->getAttribute(\PDO::ATTR_SERVER_VERSION);
    }

    /** Makes all tables, as an installation does; a table that is there already is an error, as with Nextcloud. */
    public function createSchema(): void
    {
        foreach (self::SCHEMA as $table => $columns) {
            $this->run("create table {{$table}} ($columns)");
        }
        foreach (self::JOBS as $class) {
            $this->run('insert into {jobs} (class, argument) values (?, ?)', [$class, 'null']);
        }
    }

    /** Records that the schema fits a version, so that a comparison of two databases sees an upgrade. */
    public function recordMigration(string $version): void
    {
        $this->run('insert into {migrations} values (?, ?) on conflict do nothing', ['core', $version]);
    }

    public function appValue(string $app, string $name): ?string
    {
        $value = $this->value('select configvalue from {appconfig} where appid = ? and configkey = ?', [$app, $name]);
        return $value === false ? null : $value;
    }

    public function setAppValue(string $app, string $name, string $value): void
    {
        if ($app !== 'core' && !in_array($app, Contract::apps(), true)) {
            throw new Refusal("there is no app '$app' whose setting '$name' could be set");
        }
        $this->run(
            'insert into {appconfig} values (?, ?, ?) on conflict (appid, configkey) do update set configvalue = excluded.configvalue',
            [$app, $name, $value],
        );
    }

    public function deleteAppValue(string $app, string $name): void
    {
        $this->run('delete from {appconfig} where appid = ? and configkey = ?', [$app, $name]);
    }
}
