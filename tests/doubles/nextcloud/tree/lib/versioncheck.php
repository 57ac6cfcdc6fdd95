<?php

declare(strict_types=1);

// Refuses the versions of PHP that this major of Nextcloud refuses; the numbers are filled in by build.py.
$oldest = '@PHP_FROM@';
$first_refused = '@PHP_BELOW@';
if (version_compare(PHP_VERSION, $oldest, '<') || version_compare(PHP_VERSION, $first_refused, '>=')) {
    http_response_code(500);
    echo "This double stands for a Nextcloud that runs on PHP >= $oldest and < $first_refused, here is " . PHP_VERSION . '.';
    exit(1);
}
