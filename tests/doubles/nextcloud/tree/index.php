<?php

declare(strict_types=1);

require __DIR__ . '/lib/base.php';

// The pages: a log-in page, and the way there from everything that needs one.
Double\Web::handle(static function (Double\Web $web): void {
    $path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    $path = '/' . ltrim(preg_replace('#^/index\.php#', '', $path), '/');
    $nonce = base64_encode(random_bytes(32));
    header("Content-Security-Policy: default-src 'none';base-uri 'none';manifest-src 'self';script-src 'nonce-$nonce';style-src 'self' 'unsafe-inline';img-src 'self' data: blob:;font-src 'self' data:;connect-src 'self';media-src 'self';frame-ancestors 'self';form-action 'self'");
    if ($path === '/login') {
        header('Content-Type: text/html; charset=UTF-8');
        $title = htmlspecialchars('Login – contract double of Nextcloud ' . Double\Release::name());
        echo "<!DOCTYPE html><html lang=\"en\"><head><title>$title</title></head><body id=\"body-login\"><h1>$title</h1>"
            . '<p>This is not Nextcloud: a stand-in of sovstack, for tests.</p><form method="post" name="login">'
            . '<input name="user"><input name="password" type="password"></form></body></html>';
    } elseif ($path === '/heartbeat' || str_starts_with($path, '/.well-known/')) {
        Double\Web::stop($path === '/heartbeat' ? 200 : 404, '');
    } elseif ($path === '/' || str_starts_with($path, '/apps/') || str_starts_with($path, '/settings/')) {
        Double\Web::stop(303, '', ['Location: /login']);
    } else {
        Double\Web::stop(404, 'Page not found');
    }
});
