<?php

declare(strict_types=1);

// What every entry point loads first: the check of PHP's version, the class OC that configuration files may name,
// and a loader for our own classes.
require_once __DIR__ . '/versioncheck.php';

final class OC
{
    public static string $SERVERROOT;
    public static string $configDir;
    public static bool $CLI = PHP_SAPI === 'cli';
}

OC::$SERVERROOT = dirname(__DIR__);
OC::$configDir = rtrim(getenv('NEXTCLOUD_CONFIG_DIR') ?: OC::$SERVERROOT . '/config', '/') . '/';

error_reporting(E_ALL);
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line);
    }
    return true;
});
spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/double/' . basename(str_replace('\\', '/', $class)) . '.php';
    if (str_starts_with($class, 'Double\\') && is_file($file)) {
        require $file;
    }
});
