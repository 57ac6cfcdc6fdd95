<?php

declare(strict_types=1);

namespace Double;

/** Installing, upgrading, and what state the instance is in. */
final class InstanceCommands
{
    /** Exit codes of `upgrade` (core/Command/Upgrade.php). */
    private const MAINTENANCE = 2;
    private const FAILURE = 5;

    /** @return array<string, \Closure(Input, Settings): int> */
    public static function all(): array
    {
        return [
            'status' => self::status(...),
            'check' => static fn (): int => 0,
            'maintenance:install' => self::install(...),
            'maintenance:mode' => self::mode(...),
            'upgrade' => self::upgrade(...),
        ];
    }

    private static function status(Input $input, Settings $settings): int
    {
        $status = Release::status($settings);
        if (isset($input->options['exit-code'])) {
            return $status['needsDbUpgrade'] ? 2 : (int) $status['maintenance'];
        }
        Console::print($input, $status);
        return 0;
    }

    private static function install(Input $input, Settings $settings): int
    {
        $options = $input->options + ['admin-user' => 'admin', 'database-host' => 'localhost', 'data-dir' => \OC::$SERVERROOT . '/data'];
        if (!is_file(\OC::$configDir . 'CAN_INSTALL')) {
            echo "Command \"maintenance:install\" needs the file CAN_INSTALL in " . \OC::$configDir . "\n";
            return 1;
        }
        foreach (['database-user', 'database-name'] as $needed) {
            if (!isset($options[$needed])) {
                throw new UsageError("Database account not provided: --$needed", 'maintenance:install');
            }
        }
        if (!isset($options['disable-admin-user']) && !isset($options['admin-pass'])) {
            throw new UsageError('The admin password is asked for, and --no-interaction is given', 'maintenance:install');
        }
        $dbhost = $options['database-host'] . (isset($options['database-port']) ? ":{$options['database-port']}" : '');
        $values = [
            'passwordsalt' => $options['password-salt'] ?? bin2hex(random_bytes(15)),
            'secret' => $options['server-secret'] ?? bin2hex(random_bytes(24)),
            'trusted_domains' => $settings->get('trusted_domains', ['localhost']),
            'datadirectory' => $options['data-dir'],
            'dbtype' => $options['database'] ?? 'sqlite',
            'version' => Release::version(),
            'overwrite.cli.url' => $settings->get('overwrite.cli.url', 'http://localhost'),
            'instanceid' => 'oc' . substr(bin2hex(random_bytes(5)), 0, 10),
            'dbname' => $options['database-name'],
            'dbhost' => $dbhost,
            'dbtableprefix' => 'oc_',
            'dbuser' => $options['database-user'],
            'dbpassword' => $options['database-pass'] ?? '',
        ];
        try {
            $database = new Database($settings, $values);
            self::prepareData($options['data-dir'], $values['instanceid']);
            $database->createSchema();
        } catch (\PDOException | \ErrorException $error) {
            echo "Error while trying to create admin account: {$error->getMessage()}\n";
            return 1;
        }
        $settings->set($values);
        $apps = new Apps($database);
        foreach (Contract::defaultApps() as $app) {
            $apps->enable($app);
        }
        foreach (['installedat' => (string) microtime(true), 'lastupdatedat' => (string) time(), 'vendor' => 'nextcloud'] as $name => $value) {
            $database->setAppValue('core', $name, $value);
        }
        $database->recordMigration(Release::version());
        $accounts = new Accounts($database, $settings);
        if (!isset($options['disable-admin-user'])) {
            $accounts->create($options['admin-user'], $options['admin-pass']);
            $accounts->addGroup('admin');
            $accounts->join('admin', $options['admin-user']);
        } else {
            $accounts->addGroup('admin');
        }
        $settings->set(['installed' => true]);
        unlink(\OC::$configDir . 'CAN_INSTALL');
        echo "Nextcloud was successfully installed\n";
        return 0;
    }

    private static function prepareData(string $folder, string $instance): void
    {
        if (!is_dir($folder)) {
            mkdir($folder, 0770, true);
        }
        file_put_contents("$folder/.ncdata", "# Nextcloud data directory\n# Do not change this file");
        file_put_contents("$folder/.htaccess", "Require all denied\n");
        file_put_contents("$folder/index.html", '');
        if (!is_dir("$folder/appdata_$instance")) {
            mkdir("$folder/appdata_$instance");
        }
    }

    private static function mode(Input $input, Settings $settings): int
    {
        $isOn = (bool) $settings->get('maintenance', false);
        $wanted = isset($input->options['on']) ? true : (isset($input->options['off']) ? false : null);
        if ($wanted === null) {
            echo 'Maintenance mode is currently ' . ($isOn ? 'enabled' : 'disabled') . "\n";
        } elseif ($wanted === $isOn) {
            echo 'Maintenance mode already ' . ($isOn ? 'enabled' : 'disabled') . "\n";
        } else {
            $settings->set(['maintenance' => $wanted]);
            echo 'Maintenance mode ' . ($wanted ? 'enabled' : 'disabled') . "\n";
        }
        return 0;
    }

    private static function upgrade(Input $input, Settings $settings): int
    {
        if (!Release::needsUpgrade($settings)) {
            if ($settings->get('maintenance', false)) {
                echo "Nextcloud is in maintenance mode\n";
                return self::MAINTENANCE;
            }
            echo "No upgrade required.\n";
            return 0;
        }
        $settings->set(['maintenance' => true]);
        echo "Turned on maintenance mode\n";
        if (!Release::accepts($settings->get('version'))) {
            echo "Exception: Updates between multiple major versions and downgrades are unsupported.\n";
            echo "Update failed\nMaintenance mode is kept active\n";
            return self::FAILURE;
        }
        $database = new Database($settings);
        echo "Updating database schema\n";
        $database->recordMigration(Release::version());
        echo "Updated database\n";
        (new Apps($database))->upgrade();
        $database->setAppValue('core', 'lastupdatedat', (string) time());
        $settings->set(['version' => Release::version(), 'maintenance' => false]);
        echo "Update successful\nTurned off maintenance mode\n";
        return 0;
    }
}
