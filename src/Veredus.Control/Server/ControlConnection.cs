using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Veredus.Logging;

namespace Veredus.Control;

/// <summary>One session: greeting, authentication, commands one after the other.</summary>
internal sealed class ControlConnection : IAsyncDisposable
{
    private const int FlushBytes = 16 * 1024;

    private readonly ControlListenerOptions _options;
    private readonly ControlRunner _runner;
    private readonly IMailLog _log;
    private readonly TimeProvider _time;
    private readonly ControlSession _session;
    private readonly string? _unixUser;
    private Stream _stream;
    private PipeReader _input;
    private PipeWriter _output;
    private bool _isTls;
    private bool _isOver;

    public ControlConnection(Socket socket, ControlListenerOptions options, ControlRunner runner, IMailLog log, TimeProvider time)
    {
        (_options, _runner, _log, _time) = (options, runner, log, time);
        _unixUser = socket.AddressFamily is AddressFamily.Unix ? PeerUser.Name(socket) ?? "" : null;
        _session = new() { Endpoint = options.Name, Peer = socket.RemoteEndPoint as IPEndPoint, IsAuthorized = options.Authorization is not null };
        _stream = new NetworkStream(socket, ownsSocket: true);
        (_input, _output) = (PipeReader.Create(_stream, new(leaveOpen: true)), PipeWriter.Create(_stream, new(leaveOpen: true)));
    }

    private bool IsLoopback => _session.Peer is null || IPAddress.IsLoopback(_session.Peer.Address);

    public async Task RunAsync(CancellationToken stopping)
    {
        if (_unixUser is not null)
            Account(_unixUser, _options.AlwaysDeny || _unixUser.Length == 0 ? AccountResult.Refused : AccountResult.Allowed);
        else if (_options is { AlwaysAllow: true, AlwaysDeny: false })
            _session.User = "anonymous";
        Write($"+VEREDUS 1 {_options.HostName} {_options.Version}{Mechanisms()}{(CanStartTls ? " STARTTLS" : "")}");
        while (!_isOver)
        {
            using var idle = new CancellationTokenSource(_options.IdleTimeout, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, stopping);
            await _output.FlushAsync(either.Token);
            var (result, line) = await LineInput.ReadLineAsync(_input, either.Token);
            switch (result)
            {
                case LineResult.Closed:
                    return;
                case LineResult.TooLong:
                    await AnswerAsync(ControlAnswer.Error(ControlErrors.Syntax, $"a line has at most {LineInput.MaxBytes} octets"), stopping);
                    break;
                case LineResult.NotText:
                    await AnswerAsync(ControlAnswer.Error(ControlErrors.Syntax, "a line has to be UTF-8"), stopping);
                    break;
                default:
                    await TakeAsync(line, stopping);
                    break;
            }
        }
        await FlushAsync(stopping);
    }

    public async ValueTask DisposeAsync()
    {
        await _session.DisposeAsync();
        await _stream.DisposeAsync();
    }

    private bool CanStartTls => _options.Tls is not null && !_isTls && _unixUser is null;

    private string Mechanisms()
    {
        if (_unixUser is not null || !(_isTls || IsLoopback) || (_options.Scram is null && _options.Plain is null))
            return "";
        return $" AUTH{(_options.Scram is not null ? " SCRAM-SHA-256" : "")} PLAIN";
    }

    private async Task TakeAsync(string line, CancellationToken stopping)
    {
        if (!CommandWords.TrySplit(line, out var words, out var error))
        {
            await AnswerAsync(ControlAnswer.Error(ControlErrors.Syntax, error), stopping);
            return;
        }
        if (words.Count == 0)
            return;
        switch (words[0].Text.ToUpperInvariant())
        {
            case "AUTH" when words.Count > 1:
                await AuthenticateAsync(words, stopping);
                return;
            case "STARTTLS" when words.Count == 1:
                await StartTlsAsync(stopping);
                return;
            case "QUIT" or "EXIT" when words.Count == 1:
                _isOver = true;
                await AnswerAsync(ControlAnswer.Ok("bye"), stopping);
                return;
        }
        await AnswerAsync(_session.User.Length == 0 ? ControlAnswer.Error(ControlErrors.AuthenticationNeeded, "authentication needed")
            : await _runner.RunAsync(_session, _options.Authorization, line, words, stopping), stopping);
    }

    private async Task StartTlsAsync(CancellationToken stopping)
    {
        if (!CanStartTls)
        {
            await AnswerAsync(ControlAnswer.Error(ControlErrors.Syntax, _isTls ? "TLS is already in use" : "TLS is not offered here"), stopping);
            return;
        }
        await AnswerAsync(ControlAnswer.Ok("go ahead"), stopping);
        // What was pipelined behind STARTTLS in clear text could come from anyone: it is not taken over.
        if (_input.TryRead(out var pipelined))
        {
            var injected = pipelined.Buffer.Length > 0;
            _input.AdvanceTo(pipelined.Buffer.End);
            if (injected)
            {
                _isOver = true;
                return;
            }
        }
        using var deadline = new CancellationTokenSource(_options.IdleTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stopping);
        var tls = new SslStream(_stream, leaveInnerStreamOpen: false);
        _stream = tls;
        await tls.AuthenticateAsServerAsync(_options.Tls!, either.Token);
        _isTls = true;
        _session.User = _options is { AlwaysAllow: true, AlwaysDeny: false } ? "anonymous" : "";
        (_input, _output) = (PipeReader.Create(_stream, new(leaveOpen: true)), PipeWriter.Create(_stream, new(leaveOpen: true)));
        // The client learns the mechanisms that TLS has made possible, as in the greeting.
        Write($"+VEREDUS 1 {_options.HostName} {_options.Version}{Mechanisms()}");
    }

    private async Task AuthenticateAsync(IReadOnlyList<CommandWord> words, CancellationToken stopping)
    {
        var mechanism = words[1].Text.ToUpperInvariant();
        if (Mechanisms().Length == 0 || !Mechanisms().Split(' ').Contains(mechanism))
        {
            await AnswerAsync(ControlAnswer.Error(ControlErrors.Syntax, $"the mechanism {mechanism} is not offered here"), stopping);
            return;
        }
        var exchange = new SaslExchange(_options, mechanism);
        string? response = words.Count > 2 ? words[2].Text : null;
        if (response is null)
            response = await ChallengeAsync("", stopping);
        while (response is not null && exchange.Take(response) is { } challenge)
            response = await ChallengeAsync(challenge, stopping);
        if (response is null)
        {
            Account(exchange.User, AccountResult.Refused, isTimeout: true);
            _isOver = true;
            return;
        }
        var allowed = exchange.IsDone && !_options.AlwaysDeny;
        Account(exchange.User, allowed ? AccountResult.Allowed : AccountResult.Refused);
        if (!allowed)
            _isOver = ++_failures >= 3;
        await AnswerAsync(allowed ? ControlAnswer.Ok($"authenticated as {exchange.User}")
            : ControlAnswer.Error(ControlErrors.AuthenticationNeeded, "authentication failed"), stopping);
    }

    private int _failures;

    /// <summary>Sends a challenge; <see langword="null"/> when the client does not answer it.</summary>
    private async Task<string?> ChallengeAsync(string challenge, CancellationToken stopping)
    {
        Write("+ " + challenge);
        using var idle = new CancellationTokenSource(_options.IdleTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, stopping);
        try
        {
            await _output.FlushAsync(either.Token);
            var (result, line) = await LineInput.ReadLineAsync(_input, either.Token);
            return result is LineResult.Line ? line.Trim() : null;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return null;
        }
    }

    private void Account(string user, AccountResult result, bool isTimeout = false)
    {
        _session.User = result is AccountResult.Allowed ? user : "";
        if (_unixUser is null && !_options.LogAuthentication)
            return;
        _log.Write(new AuthenticationRecord
        {
            Time = _time.GetUtcNow().ToUnixTimeSeconds(),
            IsTimeout = isTimeout,
            Endpoint = _options.Name,
            Peer = _session.Peer,
            User = user,
            Result = result,
        });
    }

    private async Task AnswerAsync(ControlAnswer answer, CancellationToken stopping)
    {
        var status = answer.Code == 0 ? "+OK" : FormattableString.Invariant($"-ERR {answer.Code}");
        Write(answer.Text.Length > 0 ? $"{status} {OneLine(answer.Text)}" : status);
        foreach (var line in answer.Lines)
        {
            // A line break inside a line would end the answer for a client that counts lines.
            foreach (var part in line.Split('\n'))
                Write(part.StartsWith('.') ? "." + part : part);
            if (_output.UnflushedBytes > FlushBytes)
                await FlushAsync(stopping);
        }
        Write(".");
        await FlushAsync(stopping);
    }

    private async Task FlushAsync(CancellationToken stopping)
    {
        using var idle = new CancellationTokenSource(_options.IdleTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, stopping);
        await _output.FlushAsync(either.Token);
    }

    private void Write(string line)
    {
        var bytes = _output.GetSpan(Encoding.UTF8.GetMaxByteCount(line.Length) + 1);
        var count = Encoding.UTF8.GetBytes(line, bytes);
        bytes[count] = (byte)'\n';
        _output.Advance(count + 1);
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
