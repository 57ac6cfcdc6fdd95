<?php

declare(strict_types=1);

namespace Double;

/**
 * Those of Nextcloud's setup checks that depend on what sovstack does: settings, PHP, and the site as it answers
 * itself. Answers have the shape and the severities of the real ones.
 */
final class SetupChecks
{
    private array $answer = [];

    private function __construct(private Settings $settings, private Database $database)
    {
    }

    public static function run(Input $input, Settings $settings): int
    {
        $checks = new self($settings, new Database($settings));
        $checks->system();
        $checks->network();
        $checks->security();
        $checks->config();
        $checks->php();
        $severities = array_merge(...array_values(array_map(static fn (array $one) => array_column($one, 'severity'), $checks->answer)));
        if (($input->options['output'] ?? 'plain') !== 'plain') {
            Console::print($input, $checks->answer);
        } else {
            $checks->show();
        }
        // Nextcloud ends with 1 for anything but success, information included (core/Command/SetupChecks.php).
        return array_diff($severities, ['success']) ? 1 : 0;
    }

    private function show(): void
    {
        foreach ($this->answer as $category => $checks) {
            echo "\t$category:\n";
            foreach ($checks as $check) {
                $mark = ['success' => '✓', 'info' => 'ℹ', 'warning' => '⚠', 'error' => '✗'][$check['severity']];
                echo "\t\t$mark {$check['name']}" . ($check['description'] === null ? '' : ": {$check['description']}") . "\n";
            }
        }
    }

    private function add(string $category, string $class, bool $good, string $otherwise, ?string $description = null): void
    {
        $this->answer[$category]["OCA\\Settings\\SetupChecks\\$class"] = [
            'name' => $class,
            'severity' => $good ? 'success' : $otherwise,
            'description' => $description,
            'descriptionParameters' => null,
            'linkToDoc' => null,
        ];
    }

    private function system(): void
    {
        $last = (int) $this->database->appValue('core', 'lastcron');
        $this->add('system', 'CronInfo', time() - $last < 3600, 'error', 'Last background job execution ran ' . (time() - $last) . ' seconds ago.');
        $this->add('system', 'DebugMode', !$this->settings->get('debug', false), 'warning');
        $this->add('system', 'FileLocking', (bool) $this->settings->get('memcache.locking'), 'info', 'The database is used for transactional file locking.');
        $this->add('system', 'MaintenanceWindowStart', $this->settings->get('maintenance_window_start') !== null, 'warning');
        $this->add('system', 'MemcacheConfigured', (bool) $this->settings->get('memcache.local'), 'info');
        $this->add('system', 'MimeTypeMigrationAvailable', $this->database->appValue('core', 'mimetype_version') !== null, 'warning', 'run maintenance:repair --include-expensive');
    }

    private function network(): void
    {
        [$status] = $this->ask('/remote.php/dav/', ['Depth: 0'], 'PROPFIND');
        $this->add('network', 'WebdavEndpoint', in_array($status, [207, 401], true), 'error', "the site answers $status");
        [$status, $headers] = $this->ask('/.well-known/caldav');
        $this->add('network', 'WellKnownUrls', $status === 301 && str_contains($headers['location'] ?? '', '/remote.php/dav'), 'info', "the site answers $status");
        [$status, $headers] = $this->ask('/apps/settings/js/esm-test.mjs');
        $this->add('network', 'JavaScriptModules', str_contains($headers['content-type'] ?? '', 'javascript'), 'warning', "the site answers $status");
        [$status] = $this->ask('/' . basename((string) $this->settings->get('datadirectory')) . '/.ncdata');
        $this->add('network', 'DataDirectoryProtected', $status !== 200 && $status !== 0, 'error');
        $internet = $this->settings->get('has_internet_connection', true);
        $this->add('network', 'InternetConnectivity', !$internet, 'warning', $internet ? 'This server has no working Internet connection' : 'Internet connectivity is disabled in configuration file.');
    }

    private function security(): void
    {
        [, $headers] = $this->ask('/login');
        $wanted = [
            'x-content-type-options' => 'nosniff', 'x-robots-tag' => 'noindex, nofollow', 'x-frame-options' => 'sameorigin',
            'x-permitted-cross-domain-policies' => 'none',
        ];
        $wrong = array_filter(array_keys($wanted), static fn (string $name) => strtolower($headers[$name] ?? '') !== $wanted[$name]);
        preg_match('/max-age=(\d+)/', $headers['strict-transport-security'] ?? '', $age);
        if ((int) ($age[1] ?? 0) < 15552000) {
            $wrong[] = 'strict-transport-security';
        }
        $this->add('security', 'SecurityHeaders', !$wrong, 'warning', implode(', ', $wrong));
        $secure = str_starts_with((string) $this->settings->get('overwrite.cli.url', ''), 'https://');
        $this->add('security', 'HttpsUrlGeneration', $secure, 'info');
        $this->add('security', 'PhpOutdated', PHP_VERSION_ID >= 80300, 'info', 'You are currently running PHP ' . PHP_VERSION . '.');
        $this->add('security', 'TwoFactorConfiguration', false, 'info', 'Second factor providers are available but two-factor authentication is not enforced.');
        $this->add('database', 'SupportedDatabase', true, 'warning', $this->database->serverVersion());
        foreach (['DatabaseHasMissingColumns', 'DatabaseHasMissingIndices', 'DatabaseHasMissingPrimaryKeys'] as $class) {
            $this->add('database', $class, true, 'warning', 'None');
        }
    }

    private function config(): void
    {
        $this->add('config', 'DefaultPhoneRegionSet', (bool) $this->settings->get('default_phone_region'), 'info');
        $this->add('config', 'EmailTestSuccessful', false, 'info', 'You have not set or verified your email server configuration, yet.');
        $this->add('config', 'ServerIdConfig', $this->settings->get('serverid') !== null, 'info');
    }

    private function php(): void
    {
        $limit = ini_parse_quantity(ini_get('memory_limit'));
        $this->add('php', 'PhpMemoryLimit', $limit === -1 || $limit >= 512 * 1024 ** 2, 'error', ini_get('memory_limit'));
        $needed = ['ctype', 'curl', 'dom', 'fileinfo', 'gd', 'mbstring', 'openssl', 'posix', 'session', 'xml', 'xmlreader', 'xmlwriter', 'zip', 'zlib'];
        $wished = ['apcu', 'exif', 'gmp', 'intl', 'sodium', 'sysvsem'];
        $absent = array_filter([...$needed, ...$wished], static fn (string $name) => !extension_loaded($name));
        $this->add('php', 'PhpModules', !$absent, array_intersect($absent, $needed) ? 'error' : 'info', implode(', ', $absent));
        $this->add('php', 'PhpOutputBuffering', !ini_get('output_buffering'), 'error');
        $this->add('php', 'PhpImagickModule', extension_loaded('imagick'), 'info');
    }

    /** @return array{int, array<string, string>} status (0 where the site does not answer) and headers, names in lower case */
    private function ask(string $path, array $headers = [], string $method = 'GET'): array
    {
        $handle = curl_init(rtrim((string) $this->settings->get('overwrite.cli.url', ''), '/') . $path);
        $found = [];
        curl_setopt_array($handle, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 10,
            CURLOPT_CAINFO => $this->settings->get('default_certificates_bundle_path', '/etc/ssl/certs/ca-certificates.crt'),
            CURLOPT_HEADERFUNCTION => static function ($handle, string $line) use (&$found): int {
                [$name, $value] = [...explode(':', $line, 2), ''];
                $found[strtolower(trim($name))] = trim($value);
                return strlen($line);
            },
        ]);
        curl_exec($handle);
        return [(int) curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $found];
    }
}
