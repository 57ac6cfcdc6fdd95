<?php

declare(strict_types=1);

namespace Double;

/** The commands that this double plays. Each takes the input and the settings and gives an exit code. */
final class Commands
{
    /** @return ?\Closure(Input, Settings): int */
    public static function find(string $name): ?\Closure
    {
        foreach ([InstanceCommands::class, ConfigCommands::class, AccountCommands::class, AppCommands::class, UpkeepCommands::class] as $family) {
            $commands = $family::all();
            if (isset($commands[$name])) {
                return $commands[$name];
            }
        }
        return null;
    }
}
