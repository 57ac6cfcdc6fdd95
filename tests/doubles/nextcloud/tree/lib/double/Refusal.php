<?php

declare(strict_types=1);

namespace Double;

/** The caller asks for something that the real Nextcloud does not have, or that this double does not play. */
final class Refusal extends \Exception
{
    public function __construct(string $message)
    {
        parent::__construct("contract double: $message");
    }
}
