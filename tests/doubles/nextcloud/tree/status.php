<?php

declare(strict_types=1);

require __DIR__ . '/lib/base.php';

$status = Double\Release::status(new Double\Settings());
if (OC::$CLI) {
    print_r($status);
} else {
    header('Access-Control-Allow-Origin: *');
    header('Content-Type: application/json');
    echo json_encode($status);
}
