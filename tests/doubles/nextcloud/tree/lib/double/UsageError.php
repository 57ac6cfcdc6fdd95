<?php

declare(strict_types=1);

namespace Double;

/** The command line does not fit; shown as Symfony's console shows it. */
final class UsageError extends \Exception
{
    public function __construct(string $message, public readonly ?string $command = null)
    {
        parent::__construct($message);
    }
}
