<?php

declare(strict_types=1);

namespace Double;

/** The apps that the release ships, and which of them are on. */
final class Apps
{
    public function __construct(private Database $database)
    {
    }

    public function version(string $app): string
    {
        $info = simplexml_load_file(\OC::$SERVERROOT . "/apps/$app/appinfo/info.xml");
        return (string) $info->version;
    }

    public function isEnabled(string $app): bool
    {
        return ($this->database->appValue($app, 'enabled') ?? 'no') !== 'no';
    }

    public function enable(string $app): void
    {
        $this->database->setAppValue($app, 'installed_version', $this->version($app));
        $this->database->setAppValue($app, 'enabled', 'yes');
        $this->database->setAppValue($app, 'types', '');
    }

    public function disable(string $app): void
    {
        $this->database->setAppValue($app, 'enabled', 'no');
    }

    /** @return array<string, string> app -> version */
    public function list(bool $enabled): array
    {
        $found = [];
        foreach (Contract::apps() as $app) {
            if ($this->isEnabled($app) === $enabled) {
                $found[$app] = $this->version($app);
            }
        }
        return $found;
    }

    /** Brings the recorded versions of the enabled apps to those of this release. */
    public function upgrade(): void
    {
        foreach (array_keys($this->list(true)) as $app) {
            $this->database->setAppValue($app, 'installed_version', $this->version($app));
        }
    }
}
