<?php

declare(strict_types=1);

namespace Double;

/** The command `occ`: finds the command, holds the line against its interface, runs it, gives the exit code. */
final class Console
{
    private const BEFORE_INSTALLATION = ['check', 'help', 'list', 'status', 'maintenance:install'];
    private const BEFORE_UPGRADE = ['check', 'help', 'list', 'status', 'upgrade', 'maintenance:mode'];

    /** @param list<string> $words */
    public static function run(array $words): int
    {
        try {
            self::requireOwner();
            return self::dispatch(new Input($words), new Settings());
        } catch (UsageError $error) {
            self::complain($error);
            return 1;
        } catch (\Throwable $error) {
            echo "An unhandled exception has been thrown:\n", get_class($error), ': ', $error->getMessage(), "\n";
            return 1;
        }
    }

    private static function requireOwner(): void
    {
        $path = \OC::$configDir . 'config.php';
        if (is_file($path) && fileowner($path) !== posix_getuid()) {
            echo "Console has to be executed with the user that owns the file config/config.php\n";
            echo 'Current user id: ' . posix_getuid() . "\nOwner id of config.php: " . fileowner($path) . "\n";
            exit(1);
        }
    }

    private static function dispatch(Input $input, Settings $settings): int
    {
        if ($input->has('version')) {
            echo 'Nextcloud ' . Release::name() . "\n";
            return 0;
        }
        $name = $input->command ?? 'list';
        $available = self::available($settings, $name);
        if (!isset($available[$name])) {
            throw new UsageError(self::unknown($name, array_keys($available)));
        }
        $input->bind($name, $available[$name]);
        if ($name === 'list') {
            echo 'Nextcloud ' . Release::name() . "\n\nAvailable commands:\n  " . implode("\n  ", array_keys($available)) . "\n";
            return 0;
        }
        if ($input->has('help') || $name === 'help') {
            $of = $name === 'help' ? ($input->arguments['command_name'] ?? 'help') : $name;
            echo "Usage:\n  " . self::synopsis($of) . "\n";
            return 0;
        }
        $play = Commands::find($name) ?? throw new Refusal("'$name' is a command of Nextcloud that this double does not play");
        return $play($input, $settings);
    }

    /** The commands there are in the state that the instance is in, and what Nextcloud says about that state. */
    private static function available(Settings $settings, string $name): array
    {
        $commands = Contract::commands();
        $keep = static fn (array $names) => array_intersect_key($commands, array_flip($names));
        if (!$settings->installed()) {
            if ($name !== 'maintenance:install') {
                fwrite(STDERR, "Nextcloud is not installed - only a limited number of commands are available\n");
            }
            return $keep(self::BEFORE_INSTALLATION);
        }
        unset($commands['maintenance:install']);
        if (Release::needsUpgrade($settings)) {
            if ($name !== 'upgrade') {
                fwrite(STDERR, "Nextcloud or one of the apps require upgrade - only a limited number of commands are available\n");
                fwrite(STDERR, "You may use your browser or the occ upgrade command to do the upgrade\n");
            }
            return $keep(self::BEFORE_UPGRADE);
        }
        if ($settings->get('maintenance', false) && !in_array($name, ['maintenance:mode', 'status'], true)) {
            fwrite(STDERR, "Nextcloud is in maintenance mode, no apps are loaded.\nCommands provided by apps are unavailable.\n");
        }
        return $commands;
    }

    /** @param list<string> $available */
    private static function unknown(string $name, array $available): string
    {
        $namespace = strstr($name, ':', true);
        $near = array_filter($available, static fn (string $one) => str_starts_with($one, "$namespace:"));
        if ($namespace !== false && !$near) {
            return "There are no commands defined in the \"$namespace\" namespace.";
        }
        $lines = ["Command \"$name\" is not defined."];
        if ($near) {
            array_push($lines, '', 'Did you mean one of these?', ...array_map(static fn (string $one) => "    $one", $near));
        }
        return implode("\n", $lines);
    }

    private static function synopsis(string $command): string
    {
        $interface = Contract::commands()[$command] ?? ['options' => [], 'arguments' => []];
        $parts = array_map(
            static fn (string $option) => str_ends_with($option, '=')
                ? '[' . rtrim($option, '=') . ' ' . strtoupper(trim($option, '-=')) . ']'
                : "[$option]",
            $interface['options'],
        );
        $parts = $parts && $interface['arguments'] ? [...$parts, '[--]'] : $parts;
        foreach ($interface['arguments'] as $argument) {
            $word = '<' . rtrim($argument, '?*') . '>' . (str_ends_with($argument, '*') ? '...' : '');
            $parts[] = str_contains($argument, '?') ? "[$word]" : $word;
        }
        return implode(' ', [$command, ...$parts]);
    }

    private static function complain(UsageError $error): void
    {
        $lines = explode("\n", $error->getMessage());
        $width = max(array_map(mb_strlen(...), $lines));
        $empty = str_repeat(' ', $width + 4);
        $block = array_map(static fn (string $line) => '  ' . str_pad($line, $width) . '  ', $lines);
        fwrite(STDERR, implode("\n", ['', $empty, ...$block, $empty, '', '']));
        if ($error->command !== null) {
            fwrite(STDERR, self::synopsis($error->command) . "\n\n");
        }
    }

    /** Prints a value as the option --output asks: plain (the default), json, json_pretty. */
    public static function print(Input $input, array $values): void
    {
        $format = $input->options['output'] ?? 'plain';
        if ($format === 'json' || $format === 'json_pretty') {
            echo json_encode($values, $format === 'json_pretty' ? JSON_PRETTY_PRINT : 0), "\n";
            return;
        }
        foreach ($values as $name => $value) {
            if (is_array($value)) {
                echo "  - $name:\n";
                foreach ($value as $key => $one) {
                    echo '    - ' . (is_int($key) ? '' : "$key: ") . self::plain($one) . "\n";
                }
            } else {
                echo '  - ' . (is_int($name) ? '' : "$name: ") . self::plain($value) . "\n";
            }
        }
    }

    private static function plain(mixed $value): string
    {
        return match (true) {
            is_bool($value) => $value ? 'true' : 'false',
            is_array($value) => json_encode($value),
            default => (string) $value,
        };
    }
}
