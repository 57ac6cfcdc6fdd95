<?php

declare(strict_types=1);

namespace Double;

/** Settings of the system and of the apps. */
final class ConfigCommands
{
    private const SENSITIVE = [
        'dbhost', 'dbname', 'dbpassword', 'dbuser', 'datadirectory', 'instanceid', 'mail_smtphost', 'mail_smtpname',
        'mail_smtppassword', 'passwordsalt', 'redis', 'secret', 'trusted_proxies',
    ];
    private const REMOVED = '***REMOVED SENSITIVE VALUE***';

    /** @return array<string, \Closure(Input, Settings): int> */
    public static function all(): array
    {
        return [
            'config:list' => self::list(...),
            'config:import' => self::import(...),
            'config:system:get' => self::getSystem(...),
            'config:system:set' => self::setSystem(...),
            'config:system:delete' => self::deleteSystem(...),
            'config:app:get' => self::getApp(...),
            'config:app:set' => self::setApp(...),
            'config:app:delete' => self::deleteApp(...),
        ];
    }

    private static function list(Input $input, Settings $settings): int
    {
        $of = $input->arguments['app'] ?? 'all';
        $answer = [];
        if ($of === 'all' || $of === 'system') {
            $answer['system'] = $settings->all();
            if (!isset($input->options['private'])) {
                foreach (array_intersect(self::SENSITIVE, array_keys($answer['system'])) as $name) {
                    $answer['system'][$name] = self::REMOVED;
                }
            }
        }
        if ($of !== 'system') {
            $answer['apps'] = [];
            foreach ((new Database($settings))->rows('select * from {appconfig} order by appid, configkey') as $row) {
                if ($of === 'all' || $of === $row['appid']) {
                    $answer['apps'][$row['appid']][$row['configkey']] = $row['configvalue'];
                }
            }
        }
        // This command alone is pretty JSON unless --output=json is said.
        echo json_encode($answer, ($input->options['output'] ?? 'plain') === 'json' ? 0 : JSON_PRETTY_PRINT), "\n";
        return 0;
    }

    private static function import(Input $input, Settings $settings): int
    {
        $file = $input->arguments['file'] ?? null;
        $data = json_decode(file_get_contents($file ?? 'php://stdin'), true);
        if (!is_array($data) || !$data) {
            echo "The file must contain a valid json array\n";
            return 1;
        }
        if ($strange = array_diff(array_keys($data), ['system', 'apps'])) {
            echo 'Found invalid entries in root: ' . implode(', ', $strange) . "\n";
            return 1;
        }
        foreach ($data['apps'] ?? [] as $app => $values) {
            foreach ($values as $name => $value) {
                if (!is_int($value) && !is_string($value) && $value !== null) {
                    echo "Invalid app config value for \"$app\":\"$name\". Only integers, strings and null (delete) are allowed.\n";
                    return 1;
                }
            }
        }
        if ($data['system'] ?? []) {
            $settings->set($data['system']);
        }
        $database = new Database($settings);
        foreach ($data['apps'] ?? [] as $app => $values) {
            foreach ($values as $name => $value) {
                if ($value === null) {
                    $database->deleteAppValue($app, $name);
                } else {
                    $database->setAppValue($app, $name, (string) $value);
                }
            }
        }
        echo "Config successfully imported from: $file\n";
        return 0;
    }

    private static function getSystem(Input $input, Settings $settings): int
    {
        $value = $settings->all();
        foreach ($input->arguments['name'] as $name) {
            $value = is_array($value) && array_key_exists($name, $value) ? $value[$name] : null;
        }
        $value ??= $input->options['default-value'] ?? null;
        if ($value === null) {
            return 1;
        }
        self::print($input, $value);
        return 0;
    }

    private static function print(Input $input, mixed $value): void
    {
        if (($input->options['output'] ?? 'plain') !== 'plain') {
            echo json_encode($value), "\n";
        } elseif (is_array($value)) {
            foreach ($value as $name => $one) {
                echo (is_int($name) ? '' : "$name: ") . (is_array($one) ? json_encode($one) : (is_bool($one) ? var_export($one, true) : $one)) . "\n";
            }
        } else {
            echo is_bool($value) ? var_export($value, true) : $value, "\n";
        }
    }

    private static function setSystem(Input $input, Settings $settings): int
    {
        $type = $input->options['type'] ?? 'string';
        $value = self::cast($input->options['value'] ?? '', $type);
        $path = $input->arguments['name'];
        $name = array_shift($path);
        $settings->set([$name => $path ? self::place($settings->get($name, []), $path, $value) : $value]);
        $shown = is_bool($value) ? var_export($value, true) : $value;
        echo 'System config value ' . implode(' => ', [$name, ...$path]) . " set to $type $shown\n";
        return 0;
    }

    private static function place(mixed $into, array $path, mixed $value): array
    {
        $into = is_array($into) ? $into : [];
        $name = array_shift($path);
        $into[$name] = $path ? self::place($into[$name] ?? [], $path, $value) : $value;
        return $into;
    }

    private static function cast(string $value, string $type): mixed
    {
        switch ($type) {
            case 'int':
            case 'integer':
            case 'double':
            case 'float':
                if (!is_numeric($value)) {
                    throw new UsageError('Non-numeric value specified', 'config:system:set');
                }
                return str_starts_with($type, 'int') ? (int) $value : (float) $value;
            case 'bool':
            case 'boolean':
                $truth = ['true' => true, 'false' => false][strtolower($value)] ?? null;
                return $truth ?? throw new UsageError('Unable to parse value as boolean', 'config:system:set');
            case 'json':
                return json_decode($value, true, flags: JSON_THROW_ON_ERROR);
            case 'string':
                return $value;
        }
        throw new UsageError("Invalid type \"$type\"", 'config:system:set');
    }

    private static function deleteSystem(Input $input, Settings $settings): int
    {
        [$name] = $input->arguments['name'];
        if (count($input->arguments['name']) > 1) {
            throw new Refusal('a part of a setting is not deleted here');
        }
        if (isset($input->options['error-if-not-exists']) && $settings->get($name) === null) {
            echo "System config $name could not be deleted because it did not exist\n";
            return 1;
        }
        $settings->set([$name => null]);
        echo "System config value $name deleted\n";
        return 0;
    }

    private static function getApp(Input $input, Settings $settings): int
    {
        $value = (new Database($settings))->appValue($input->arguments['app'], $input->arguments['name'])
            ?? $input->options['default-value'] ?? null;
        if ($value === null) {
            return 1;
        }
        self::print($input, $value);
        return 0;
    }

    private static function setApp(Input $input, Settings $settings): int
    {
        ['app' => $app, 'name' => $name] = $input->arguments;
        $value = $input->options['value'] ?? '';
        $database = new Database($settings);
        if ($database->appValue($app, $name) === $value) {
            echo "Config value were not updated\n";
            return 0;
        }
        $database->setAppValue($app, $name, $value);
        echo "Config value '$name' for app '$app' is now set to '$value', stored as mixed in fast cache\n";
        return 0;
    }

    private static function deleteApp(Input $input, Settings $settings): int
    {
        ['app' => $app, 'name' => $name] = $input->arguments;
        $database = new Database($settings);
        if (isset($input->options['error-if-not-exists']) && $database->appValue($app, $name) === null) {
            echo "Config $name of app $app could not be deleted because it did not exist\n";
            return 1;
        }
        $database->deleteAppValue($app, $name);
        echo "Config value $name of app $app deleted\n";
        return 0;
    }
}
