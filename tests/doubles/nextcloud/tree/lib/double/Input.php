<?php

declare(strict_types=1);

namespace Double;

/** One command line, parsed as Symfony's console does, against the interface of the real command. */
final class Input
{
    /** Options that every command takes. */
    private const COMMON = ['help', 'quiet', 'version', 'ansi', 'no-ansi', 'no-interaction', 'no-warnings', 'verbose'];
    private const SHORT = ['h' => 'help', 'q' => 'quiet', 'V' => 'version', 'n' => 'no-interaction', 'v' => 'verbose'];
    /** Options whose value may be left out (VALUE_OPTIONAL). */
    private const VALUE_MAY_BE_ABSENT = ['output', 'display-name', 'group', 'database-pass', 'admin-email', 'password-salt', 'server-secret'];

    public ?string $command = null;
    /** @var array<string, mixed> */
    public array $arguments = [];
    /** @var array<string, mixed> */
    public array $options = [];
    /** @var list<string> */
    private array $words = [];
    /** @var list<array{string, ?string}> */
    private array $given = [];

    /** @param list<string> $words */
    public function __construct(array $words)
    {
        $onlyWords = false;
        while ($words) {
            $word = array_shift($words);
            if ($onlyWords || $word === '' || $word[0] !== '-' || $word === '-') {
                if ($this->command === null) {
                    $this->command = $word;
                } else {
                    $this->words[] = $word;
                }
            } elseif ($word === '--') {
                $onlyWords = true;
            } else {
                $this->readOption($word, $words);
            }
        }
    }

    /** @param list<string> $rest what follows; a value is taken from it where the option wants one */
    private function readOption(string $word, array &$rest): void
    {
        if (!str_starts_with($word, '--')) {
            foreach (str_split(substr($word, 1)) as $letter) {
                $this->given[] = [self::SHORT[$letter] ?? "-$letter", null];
            }
            return;
        }
        [$name, $value] = [...explode('=', substr($word, 2), 2), null];
        if ($value === null && $this->takesValue($name) && $rest && !str_starts_with($rest[0], '-')) {
            $value = array_shift($rest);
        }
        $this->given[] = [$name, $value];
    }

    private function takesValue(string $name): bool
    {
        $options = Contract::commands()[$this->command ?? '']['options'] ?? [];
        return in_array("--$name=", $options, true);
    }

    public function has(string $name): bool
    {
        return in_array($name, array_column($this->given, 0), true);
    }

    /** Holds what was given against the command's interface. */
    public function bind(string $command, array $interface): void
    {
        foreach ($this->given as [$name, $value]) {
            if (in_array($name, self::COMMON, true)) {
                continue;
            }
            if (str_starts_with($name, '-')) {
                throw new UsageError("The \"$name\" option does not exist.", $command);
            }
            if (in_array("--$name=", $interface['options'], true)) {
                if ($value === null && !in_array($name, self::VALUE_MAY_BE_ABSENT, true)) {
                    throw new UsageError("The \"--$name\" option requires a value.", $command);
                }
                $this->options[$name] = $name === 'group' ? [...($this->options[$name] ?? []), $value] : $value;
            } elseif (in_array("--$name", $interface['options'], true)) {
                if ($value !== null) {
                    throw new UsageError("The \"--$name\" option does not accept a value.", $command);
                }
                $this->options[$name] = true;
            } else {
                throw new UsageError("The \"--$name\" option does not exist.", $command);
            }
        }
        $this->bindArguments($command, $interface['arguments']);
    }

    /** @param list<string> $wanted */
    private function bindArguments(string $command, array $wanted): void
    {
        $words = $this->words;
        $missing = [];
        foreach ($wanted as $argument) {
            $name = rtrim($argument, '?*');
            $isList = str_ends_with($argument, '*');
            if ($words) {
                $this->arguments[$name] = $isList ? $words : array_shift($words);
                $words = $isList ? [] : $words;
            } elseif (!str_contains($argument, '?')) {
                $missing[] = $name;
            }
        }
        if ($missing) {
            throw new UsageError('Not enough arguments (missing: "' . implode(', ', $missing) . '").', $command);
        }
        if ($words) {
            throw new UsageError(
                $wanted
                    ? "Too many arguments to \"$command\" command, expected arguments \"" . implode('" "', array_map(static fn ($one) => rtrim($one, '?*'), $wanted)) . '".'
                    : "No arguments expected for \"$command\" command, got \"$words[0]\".",
                $command,
            );
        }
    }
}
