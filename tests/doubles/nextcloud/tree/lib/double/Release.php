<?php

declare(strict_types=1);

namespace Double;

/** What this release's version.php says. */
final class Release
{
    private static ?array $facts = null;

    private static function facts(): array
    {
        if (self::$facts === null) {
            require \OC::$SERVERROOT . '/version.php';
            self::$facts = [
                'version' => implode('.', $OC_Version),
                'name' => $OC_VersionString,
                'from' => array_keys(array_filter($OC_VersionCanBeUpgradedFrom['nextcloud'])),
            ];
        }
        return self::$facts;
    }

    /** Four numbers with dots, such as 34.0.1.2. */
    public static function version(): string
    {
        return self::facts()['version'];
    }

    public static function name(): string
    {
        return self::facts()['name'];
    }

    public static function accepts(string $version): bool
    {
        $numbers = explode('.', $version);
        return in_array("$numbers[0].$numbers[1]", self::facts()['from'], true)
            && version_compare($version, self::version(), '<=');
    }

    public static function status(Settings $settings): array
    {
        return [
            'installed' => $settings->installed(),
            'version' => self::version(),
            'versionstring' => self::name(),
            'edition' => '',
            'maintenance' => (bool) $settings->get('maintenance', false),
            'needsDbUpgrade' => self::needsUpgrade($settings),
            'productname' => 'Nextcloud',
            'extendedSupport' => false,
        ];
    }

    public static function needsUpgrade(Settings $settings): bool
    {
        return $settings->installed() && $settings->get('version') !== self::version();
    }
}
