<?php

declare(strict_types=1);

namespace Double;

/**
 * The system configuration: config.php, then *.config.php in natural order, merged by array_replace_recursive; NC_
 * variables go before both. A write puts the whole merged result into config.php (lib/private/Config.php, 34.0.1).
 */
final class Settings
{
    private array $merged = [];
    private string $path;

    public function __construct()
    {
        $this->path = \OC::$configDir . 'config.php';
        $more = glob(\OC::$configDir . '*.config.php') ?: [];
        natsort($more);
        foreach ([$this->path, ...$more] as $file) {
            if (!is_file($file) && $file === $this->path) {
                continue;
            }
            $found = self::read($file);
            foreach (array_keys($found) as $name) {
                Contract::requireSetting((string) $name, "in $file");
            }
            $this->merged = array_replace_recursive($this->merged, $found);
        }
    }

    private static function read(string $file): array
    {
        // The opcode cache may hold an older text of it; Nextcloud asks for a look at the file's time, too.
        if (function_exists('opcache_invalidate')) {
            @opcache_invalidate($file, false);
        }
        ob_start();
        include $file;
        if (ob_get_clean() !== '' && filesize($file) > 0) {
            throw new \Exception('Config file has leading content, please remove everything before "<?php" in ' . basename($file));
        }
        return isset($CONFIG) && is_array($CONFIG) ? $CONFIG : [];
    }

    public function installed(): bool
    {
        return (bool) $this->get('installed', false);
    }

    public function get(string $name, mixed $default = null): mixed
    {
        $variable = getenv("NC_$name");
        return $variable !== false ? $variable : ($this->merged[$name] ?? $default);
    }

    public function all(): array
    {
        return $this->merged;
    }

    /** @param array<string, mixed> $values null takes a setting out */
    public function set(array $values): void
    {
        foreach ($values as $name => $value) {
            Contract::requireSetting((string) $name, 'to be written');
            if ($value === null) {
                unset($this->merged[$name]);
            } else {
                $this->merged[$name] = $value;
            }
        }
        $this->write();
    }

    private function write(): void
    {
        if ($this->merged['config_is_read_only'] ?? false) {
            throw new \Exception('The "config_is_read_only" option is set to true in the config.');
        }
        if (!is_file(\OC::$configDir . 'CAN_INSTALL') && !isset($this->merged['version'])) {
            throw new \Exception("Configuration was not read or initialized correctly, not overwriting $this->path");
        }
        touch($this->path);
        chmod($this->path, 0640);
        $file = fopen($this->path, 'r+');
        flock($file, LOCK_EX);
        ftruncate($file, 0);
        fwrite($file, "<?php\n\$CONFIG = " . var_export($this->merged, true) . ";\n");
        fflush($file);
        fclose($file);
    }
}
