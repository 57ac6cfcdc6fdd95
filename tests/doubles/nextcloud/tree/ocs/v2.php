<?php

declare(strict_types=1);

require __DIR__ . '/../lib/base.php';

Double\Web::handle(Double\Ocs::answer(...));
