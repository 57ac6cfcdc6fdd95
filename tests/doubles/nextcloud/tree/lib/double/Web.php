<?php

declare(strict_types=1);

namespace Double;

/** What every web request goes through: installed, not in maintenance, a trusted host name, caches that answer. */
final class Web
{
    public readonly Settings $settings;
    public readonly Database $database;
    public readonly Accounts $accounts;

    private function __construct()
    {
        $this->settings = new Settings();
    }

    /** @param \Closure(self): void $answer */
    public static function handle(\Closure $answer): never
    {
        try {
            $web = new self();
            $web->admit();
            $answer($web);
        } catch (\Throwable $error) {
            error_log('contract double: ' . get_class($error) . ': ' . $error->getMessage());
            self::stop(500, 'Internal Server Error');
        }
        exit(0);
    }

    public static function stop(int $status, string $text, array $headers = []): never
    {
        http_response_code($status);
        foreach ($headers as $header) {
            header($header);
        }
        header('Content-Type: text/plain; charset=utf-8');
        echo "$text\n";
        exit(0);
    }

    private function admit(): void
    {
        if (!$this->settings->installed()) {
            self::stop(503, 'Nextcloud is not installed');
        }
        if ($this->settings->get('maintenance', false) || Release::needsUpgrade($this->settings)) {
            self::stop(503, 'System is in maintenance mode.', ['X-Nextcloud-Maintenance-Mode: 1', 'Retry-After: 120']);
        }
        $host = preg_replace('/:\d+$/', '', $_SERVER['HTTP_HOST'] ?? '');
        if (!in_array($host, $this->settings->get('trusted_domains', []), true)) {
            self::stop(400, 'Access through untrusted domain');
        }
        $this->requireCaches();
        $this->database = new Database($this->settings);
        $this->accounts = new Accounts($this->database, $this->settings);
    }

    private function requireCaches(): void
    {
        $configured = array_map($this->settings->get(...), ['memcache.local', 'memcache.distributed', 'memcache.locking']);
        foreach (array_filter($configured) as $class) {
            if ($class === '\\OC\\Memcache\\APCu') {
                if (!function_exists('apcu_enabled') || !apcu_enabled()) {
                    throw new \Exception('Memcache APCu not available for local cache');
                }
            } elseif ($class === '\\OC\\Memcache\\Redis') {
                $redis = $this->settings->get('redis', []);
                $client = new \Redis();
                // As lib/private/RedisFactory.php (34.0.1) does it: TLS by the context, and a user where one is named.
                $context = isset($redis['ssl_context']) ? ['stream' => $redis['ssl_context']] : [];
                $client->connect($redis['host'] ?? '127.0.0.1', (int) ($redis['port'] ?? 6379), 3.0, null, 0, 0.0, $context);
                if (($redis['password'] ?? '') !== '') {
                    $named = ($redis['user'] ?? '') !== '';
                    $client->auth($named ? [$redis['user'], $redis['password']] : $redis['password']);
                }
                $client->ping();
            } else {
                throw new Refusal("the cache '$class' is not played");
            }
        }
    }

    /** The account that the request's credentials belong to, or null. */
    public function account(): ?string
    {
        $name = $_SERVER['PHP_AUTH_USER'] ?? null;
        return $name === null ? null : $this->accounts->authenticate($name, $_SERVER['PHP_AUTH_PW'] ?? '');
    }

    public function path(): string
    {
        return ($_SERVER['PATH_INFO'] ?? '') ?: '/';
    }
}
