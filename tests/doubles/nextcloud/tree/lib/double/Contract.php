<?php

declare(strict_types=1);

namespace Double;

/** What the real Nextcloud offers, from interface.json. Whatever is not in it is refused. */
final class Contract
{
    /** Settings that Nextcloud writes by itself and its sample does not show, or shows only in comments. */
    private const OWN_SETTINGS = ['instanceid', 'passwordsalt', 'secret', 'version', 'installed', 'dbport'];

    private static ?array $data = null;

    private static function data(): array
    {
        return self::$data ??= json_decode(
            file_get_contents(__DIR__ . '/interface.json'),
            true,
            flags: JSON_THROW_ON_ERROR,
        );
    }

    /** @return array<string, array{arguments: list<string>, options: list<string>}> */
    public static function commands(): array
    {
        return self::data()['occ'];
    }

    public static function requireSetting(string $name, string $where): void
    {
        if (!in_array($name, [...self::data()['system_settings'], ...self::OWN_SETTINGS], true)) {
            throw new Refusal("Nextcloud " . self::data()['nextcloud'] . " knows no system setting '$name' ($where)");
        }
    }

    /** @return list<string> */
    public static function defaultApps(): array
    {
        return array_values(array_unique([...self::data()['default_enabled_apps'], ...self::requiredApps()]));
    }

    /** @return list<string> */
    public static function requiredApps(): array
    {
        return self::data()['always_enabled_apps'];
    }

    /** @return list<string> */
    public static function apps(): array
    {
        $apps = array_unique([...self::defaultApps(), ...self::data()['other_shipped_apps']]);
        sort($apps);
        return $apps;
    }
}
