<?php

declare(strict_types=1);

namespace Double;

/** Apps on and off. */
final class AppCommands
{
    /** Apps of the types that cannot be limited to groups. */
    private const FOR_EVERYBODY = ['admin_audit', 'encryption', 'files_external', 'user_ldap'];

    /** @return array<string, \Closure(Input, Settings): int> */
    public static function all(): array
    {
        return ['app:list' => self::list(...), 'app:enable' => self::enable(...), 'app:disable' => self::disable(...)];
    }

    private static function list(Input $input, Settings $settings): int
    {
        $apps = new Apps(new Database($settings));
        $both = isset($input->options['enabled']) === isset($input->options['disabled']);
        $answer = [];
        if ($both || isset($input->options['enabled'])) {
            $answer['enabled'] = $apps->list(true);
        }
        if ($both || isset($input->options['disabled'])) {
            $answer['disabled'] = $apps->list(false);
        }
        if (($input->options['output'] ?? 'plain') !== 'plain') {
            Console::print($input, $answer);
            return 0;
        }
        foreach ($answer as $state => $found) {
            echo ucfirst($state) . ":\n";
            foreach ($found as $app => $version) {
                echo "  - $app: $version\n";
            }
        }
        return 0;
    }

    private static function enable(Input $input, Settings $settings): int
    {
        $apps = new Apps(new Database($settings));
        $status = 0;
        foreach ($input->arguments['app-id'] as $app) {
            if (!in_array($app, Contract::apps(), true)) {
                echo "Could not download app $app, it is not in this release and there is no app store\n";
                $status = 1;
            } elseif (isset($input->options['groups']) && in_array($app, self::FOR_EVERYBODY, true)) {
                echo "$app can't be enabled for groups.\n";
                $status = 1;
            } elseif (isset($input->options['groups'])) {
                throw new Refusal('an app for some groups only is not played');
            } elseif ($apps->isEnabled($app)) {
                echo "$app already enabled\n";
            } else {
                $apps->enable($app);
                echo "$app {$apps->version($app)} enabled\n";
            }
        }
        return $status;
    }

    private static function disable(Input $input, Settings $settings): int
    {
        $apps = new Apps(new Database($settings));
        $status = 0;
        foreach ($input->arguments['app-id'] as $app) {
            if (!in_array($app, Contract::apps(), true) || !$apps->isEnabled($app)) {
                echo "No such app enabled: $app\n";
            } elseif (in_array($app, Contract::requiredApps(), true)) {
                echo "$app can't be disabled.\n";
                $status = 2;
            } else {
                $apps->disable($app);
                echo "$app {$apps->version($app)} disabled\n";
            }
        }
        return $status;
    }
}
