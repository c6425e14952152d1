using System.Globalization;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Veredus.Control;

/// <summary>A console session from the client's side. One command at a time.</summary>
public sealed class ControlClient : IAsyncDisposable
{
    private readonly ControlEndpoint _endpoint;
    private readonly ControlClientOptions _options;
    private Stream _stream;
    private PipeReader _input;
    private string[] _greeting = [];
    private bool _isTls;

    private ControlClient(ControlEndpoint endpoint, ControlClientOptions options, Stream stream)
    {
        (_endpoint, _options, _stream) = (endpoint, options, stream);
        _input = PipeReader.Create(stream, new(leaveOpen: true));
    }

    /// <summary>Name of the server's host, from its greeting.</summary>
    public string HostName => _greeting.ElementAtOrDefault(2) ?? "";

    /// <summary>The server's version, from its greeting.</summary>
    public string Version => _greeting.ElementAtOrDefault(3) ?? "";

    /// <summary>Connects, secures the session and authenticates as far as the server asks for it.</summary>
    /// <exception cref="ControlException">It can't be reached, is not who it should be, or refuses the user.</exception>
    public static async Task<ControlClient> ConnectAsync(ControlEndpoint endpoint, ControlClientOptions options, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(options.ConnectTimeout);
        ControlClient? client = null;
        try
        {
            client = new(endpoint, options, await OpenAsync(endpoint, deadline.Token));
            await client.GreetAsync(deadline.Token);
            if (client._greeting.Contains("STARTTLS"))
                await client.StartTlsAsync(deadline.Token);
            // A person may take longer than a server to find the password.
            await client.AuthenticateAsync(cancellationToken);
            return client;
        }
        catch (Exception exception)
        {
            if (client is not null)
                await client.DisposeAsync();
            throw exception switch
            {
                ControlException => exception,
                OperationCanceledException when !cancellationToken.IsCancellationRequested => new ControlException(0, $"{endpoint}: no answer within {options.ConnectTimeout.TotalSeconds:0} s"),
                System.Security.Authentication.AuthenticationException => new ControlException(0, $"{endpoint}: {exception.Message}", exception),
                SocketException { SocketErrorCode: SocketError.AddressNotAvailable } when endpoint.Path is not null => new ControlException(0, $"{endpoint}: there is no such socket", exception),
                SocketException or IOException => new ControlException(0, $"{endpoint}: {exception.Message}", exception),
                _ => exception,
            };
        }
    }

    /// <summary>Gives a command and reads its whole answer.</summary>
    /// <exception cref="ControlException">The connection broke off.</exception>
    public async Task<ControlReply> SendAsync(string command, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        var (code, text) = await BeginAsync(command, cancellationToken);
        await foreach (var line in BodyAsync(cancellationToken))
            lines.Add(line);
        return new(code, text, lines);
    }

    /// <summary>Gives a command and reads its status; the body has to be read with <see cref="BodyAsync"/> before the next.</summary>
    /// <exception cref="ControlException">The connection broke off.</exception>
    public async Task<(int Code, string Text)> BeginAsync(string command, CancellationToken cancellationToken)
    {
        await WriteAsync(command.ReplaceLineEndings(" "), cancellationToken);
        return Status(await ReadAsync(cancellationToken));
    }

    /// <summary>The body of the answer that <see cref="BeginAsync"/> began, line by line.</summary>
    public async IAsyncEnumerable<string> BodyAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (string line; (line = await ReadAsync(cancellationToken)) != ".";)
            yield return line.StartsWith('.') ? line[1..] : line;
    }

    public async ValueTask DisposeAsync() => await _stream.DisposeAsync();

    private static async Task<Stream> OpenAsync(ControlEndpoint endpoint, CancellationToken cancellationToken)
    {
        var socket = endpoint.Path is not null
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint.Path is not null)
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(endpoint.Path), cancellationToken);
            else
                await socket.ConnectAsync(endpoint.Host, endpoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task GreetAsync(CancellationToken cancellationToken)
    {
        var line = await ReadAsync(cancellationToken);
        _greeting = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (_greeting is ["-ERR", ..])
        {
            var (code, text) = Status(line);
            throw new ControlException(code, $"{_endpoint}: {text}");
        }
        if (_greeting is not ["+VEREDUS", "1", ..])
            throw new ControlException(0, $"{_endpoint}: this is not a Veredus control socket");
    }

    private async Task StartTlsAsync(CancellationToken cancellationToken)
    {
        var reply = await SendAsync("STARTTLS", cancellationToken);
        if (!reply.IsOk)
            throw new ControlException(reply.Code, $"{_endpoint}: {reply.Text}");
        var tls = new SslStream(_stream, leaveInnerStreamOpen: false, CheckCertificate);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = _endpoint.Host }, cancellationToken);
        (_stream, _isTls) = (tls, true);
        _input = PipeReader.Create(_stream, new(leaveOpen: true));
        await GreetAsync(cancellationToken);
    }

    private bool CheckCertificate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null)
            return false;
        if (_options.Fingerprint is { } wanted)
        {
            var fingerprint = Convert.FromHexString(wanted.Replace(":", "", StringComparison.Ordinal));
            return CryptographicOperations.FixedTimeEquals(fingerprint, SHA256.HashData(certificate.GetRawCertData()));
        }
        if (_options.CaFile is null)
            return errors is SslPolicyErrors.None;
        if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0)
            return false;
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.ImportFromPemFile(_options.CaFile);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var leaf = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return own.Build(leaf);
    }

    private async Task AuthenticateAsync(CancellationToken cancellationToken)
    {
        var auth = Array.IndexOf(_greeting, "AUTH");
        if (auth < 0 || _endpoint.Path is not null)
            return;
        if (!_isTls && !_endpoint.IsLoopback)
            throw new ControlException(0, $"{_endpoint}: the server offers no TLS, and a password is not sent without; use ssh or the server's Unix socket");
        var user = _endpoint.User.Length > 0 ? _endpoint.User : Environment.UserName;
        var password = _options.Password(user)
            ?? throw new ControlException(ControlErrors.AuthenticationNeeded, $"{_endpoint}: the password of '{user}' is needed (--password-stdin, or a terminal)");
        var scram = new ScramClient(user, password, RandomNumberGenerator.GetBytes(18));
        await WriteAsync($"AUTH SCRAM-SHA-256 {Encode(scram.First)}", cancellationToken);
        var reply = await ReadAsync(cancellationToken);
        if (reply.StartsWith("+ ", StringComparison.Ordinal) && scram.Final(Decode(reply)) is { } final)
        {
            await WriteAsync(Encode(final), cancellationToken);
            reply = await ReadAsync(cancellationToken);
            if (reply.StartsWith("+ ", StringComparison.Ordinal))
            {
                if (!scram.IsServerProved(Decode(reply)))
                    throw new ControlException(0, $"{_endpoint}: the server does not know the password; it may not be the one you mean");
                await WriteAsync("", cancellationToken);
                reply = await ReadAsync(cancellationToken);
            }
        }
        var (code, text) = Status(reply);
        if (code != 0)
            throw new ControlException(code, $"{_endpoint}: {text}");
        if (await ReadAsync(cancellationToken) != ".")
            throw new ControlException(0, $"{_endpoint}: unexpected answer to AUTH");

        static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
        static string Decode(string challenge)
        {
            var bytes = new byte[challenge.Length];
            return Convert.TryFromBase64String(challenge[2..], bytes, out var count) ? Encoding.UTF8.GetString(bytes, 0, count) : "";
        }
    }

    private (int Code, string Text) Status(string line)
    {
        if (line == "+OK" || line.StartsWith("+OK ", StringComparison.Ordinal))
            return (0, line.Length > 4 ? line[4..] : "");
        if (line.Split(' ', 3) is ["-ERR", var number, ..] parts && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code > 0)
            return (code, parts.Length > 2 ? parts[2] : "");
        throw new ControlException(0, $"{_endpoint}: not an answer of a Veredus control socket: '{(line.Length > 80 ? line[..80] : line)}'");
    }

    private async Task WriteAsync(string line, CancellationToken cancellationToken)
    {
        try
        {
            await _stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancellationToken);
            await _stream.FlushAsync(cancellationToken);
        }
        catch (IOException exception)
        {
            throw new ControlException(0, $"{_endpoint}: the connection broke off: {exception.Message}", exception);
        }
    }

    private async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var line = await LineOutput.ReadLineAsync(_input, cancellationToken);
            return line ?? throw new ControlException(0, $"{_endpoint}: the server closed the connection");
        }
        catch (IOException exception) when (exception is not ControlException)
        {
            throw new ControlException(0, $"{_endpoint}: the connection broke off: {exception.Message}", exception);
        }
    }
}
