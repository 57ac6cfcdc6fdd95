<?php

declare(strict_types=1);

namespace Double;

/** /remote.php/dav/files/USER/...: a user's files over WebDAV. */
final class Dav
{
    public static function answer(Web $web): void
    {
        $user = $web->account();
        if ($user === null) {
            Web::stop(401, 'No public access to this resource.', ['WWW-Authenticate: Basic realm="Nextcloud", charset="UTF-8"']);
        }
        if (preg_match('#^/dav/files/([^/]+)(/.*)?$#', $web->path(), $match) !== 1) {
            Web::stop(preg_match('#^/dav/?$#', $web->path()) === 1 ? 207 : 404, '');
        }
        if (strcasecmp($match[1], $user) !== 0) {
            Web::stop(404, 'File not found');
        }
        $files = new Files($web->database, $web->settings, $user);
        $path = $match[2] ?? '/';
        $place = $files->locate($path) ?? Web::stop(403, 'Forbidden');
        match ($_SERVER['REQUEST_METHOD']) {
            'GET', 'HEAD' => self::get($files, $path, $place),
            'PUT' => self::put($files, $path, $place),
            'DELETE' => self::delete($files, $path, $place),
            'MKCOL' => self::makeFolder($files, $path, $place),
            'PROPFIND' => self::list($files, $user, $path, $place),
            'OPTIONS' => Web::stop(200, '', ['DAV: 1, 3', 'Allow: OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, PROPFIND']),
            default => throw new Refusal("the WebDAV method {$_SERVER['REQUEST_METHOD']} is not played"),
        };
    }

    private static function get(Files $files, string $path, string $place): void
    {
        if (!is_file($place)) {
            Web::stop(is_dir($place) ? 405 : 404, 'File not found');
        }
        header('Content-Type: application/octet-stream');
        header('Content-Disposition: attachment');
        header('ETag: "' . $files->etag($path) . '"');
        header('Content-Length: ' . filesize($place));
        if ($_SERVER['REQUEST_METHOD'] === 'GET') {
            readfile($place);
        }
    }

    private static function put(Files $files, string $path, string $place): void
    {
        if (is_dir($place) || !is_dir(dirname($place))) {
            Web::stop(is_dir($place) ? 409 : 404, 'Files can only be created in a folder that exists');
        }
        http_response_code($files->put($path, $place, fopen('php://input', 'r')) ? 201 : 204);
        header('OC-ETag: "' . $files->etag($path) . '"');
    }

    private static function delete(Files $files, string $path, string $place): void
    {
        if (!file_exists($place) || trim($path, '/') === '') {
            Web::stop(file_exists($place) ? 403 : 404, 'File not found');
        }
        $files->delete($path, $place);
        http_response_code(204);
    }

    private static function makeFolder(Files $files, string $path, string $place): void
    {
        if (file_exists($place) || !is_dir(dirname($place))) {
            Web::stop(file_exists($place) ? 405 : 409, 'The folder cannot be made');
        }
        $files->makeFolder($path, $place);
        http_response_code(201);
    }

    private static function list(Files $files, string $user, string $path, string $place): void
    {
        if (!file_exists($place)) {
            Web::stop(404, 'File not found');
        }
        $path = '/' . trim($path, '/');
        $shown = [$path];
        if (is_dir($place) && ($_SERVER['HTTP_DEPTH'] ?? '1') !== '0') {
            foreach (array_diff(scandir($place), ['.', '..']) as $name) {
                $shown[] = rtrim($path, '/') . "/$name";
            }
        }
        http_response_code(207);
        header('Content-Type: application/xml; charset=utf-8');
        $writer = new \XMLWriter();
        $writer->openMemory();
        $writer->startDocument();
        $writer->startElementNs('d', 'multistatus', 'DAV:');
        foreach ($shown as $one) {
            self::describe($writer, $files, "/remote.php/dav/files/$user", $one);
        }
        $writer->endElement();
        echo $writer->outputMemory();
    }

    private static function describe(\XMLWriter $writer, Files $files, string $base, string $path): void
    {
        $place = $files->locate($path);
        $isFolder = is_dir($place);
        $writer->startElement('d:response');
        $address = implode('/', array_map(rawurlencode(...), explode('/', $base . rtrim($path, '/'))));
        $writer->writeElement('d:href', $address . ($isFolder ? '/' : ''));
        $writer->startElement('d:propstat');
        $writer->startElement('d:prop');
        $writer->writeElement('d:getlastmodified', gmdate('D, d M Y H:i:s', filemtime($place)) . ' GMT');
        $writer->writeElement('d:getetag', '"' . $files->etag($path) . '"');
        $writer->startElement('d:resourcetype');
        if ($isFolder) {
            $writer->writeElement('d:collection');
        }
        $writer->endElement();
        if (!$isFolder) {
            $writer->writeElement('d:getcontentlength', (string) filesize($place));
        }
        $writer->endElement();
        $writer->writeElement('d:status', 'HTTP/1.1 200 OK');
        $writer->endElement();
        $writer->endElement();
    }
}
