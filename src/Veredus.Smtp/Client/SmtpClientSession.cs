using System.IO.Pipelines;
using System.Text;

namespace Veredus.Smtp;

/// <summary>
/// One outbound session. Not thread-safe: one call at a time. What the network or the peer does comes back as an
/// <see cref="SmtpOutcome"/>, not as an exception; after an unsuccessful one look at <see cref="IsUsable"/>.
/// A cancelled token makes the session unusable and throws <see cref="OperationCanceledException"/>.
/// </summary>
/// <remarks>Between calls the session holds no buffer.</remarks>
public sealed partial class SmtpClientSession : IAsyncDisposable, IDeadline
{
    private readonly SmtpClientOptions _options;
    private readonly DeadlineClock _clock;
    private Stream _stream;
    private string _heloName = "";
    private bool _needsReset;
    private bool _disposed;

    /// <param name="stream">Connected, full duplex; owned by the session from here on.</param>
    public SmtpClientSession(Stream stream, SmtpClientOptions options, DeadlineClock clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        (_stream, _options, _clock) = (stream, options, clock);
        clock.Watch(this);
    }

    /// <param name="pipe">Stays the caller's: complete it after the session is disposed.</param>
    public SmtpClientSession(IDuplexPipe pipe, SmtpClientOptions options, DeadlineClock clock)
        : this(new DuplexPipeStream(pipe.Input, pipe.Output), options, clock) { }

    public bool IsUsable { get; private set; } = true;
    public SmtpCapabilities Capabilities { get; private set; }
    /// <summary>The peer's SIZE limit in octets; 0: none known.</summary>
    public long MaxSize { get; private set; }
    public SmtpTlsInfo? Tls { get; private set; }
    /// <summary>Transactions in which at least one recipient was accepted to the end.</summary>
    public int Deliveries { get; private set; }
    /// <summary>RCPT commands sent so far.</summary>
    public int RecipientsSent { get; private set; }
    /// <summary>Where the session stands now; read from any thread for the console.</summary>
    public SmtpStage Stage { get; private set; }

    /// <summary>Reads the greeting and says EHLO (HELO after a 5xx; LHLO for LMTP).</summary>
    public async ValueTask<SmtpOutcome> OpenAsync(string heloName, CancellationToken cancellationToken)
    {
        ThrowIfControl(heloName);
        using var call = Begin(cancellationToken);
        var code = await ReadReplyAsync(SmtpStage.ReadingBanner, _options.BannerTimeout);
        if (code == 0)
            return _failure;
        var greeting = Answer(SmtpStage.ReadingBanner);
        if (code != 220)
        {
            IsUsable = false;
            return greeting.IsSuccess ? Unexpected(greeting) : greeting;
        }

        _heloName = heloName;
        return await HelloAsync();
    }

    /// <summary>AUTH PLAIN or LOGIN, whichever the peer offers (PLAIN first).</summary>
    public async ValueTask<SmtpOutcome> AuthenticateAsync(string user, string password, CancellationToken cancellationToken)
    {
        using var call = Begin(cancellationToken);
        if ((Capabilities & SmtpCapabilities.AuthPlain) != 0)
            return await ExchangeAsync("AUTH PLAIN " + Base64($"\0{user}\0{password}"), SmtpStage.DuringAuth, _options.EhloTimeout, 235);
        if ((Capabilities & SmtpCapabilities.AuthLogin) == 0)
            return new(InternalReplies.AuthNotOffered, SmtpStage.DuringAuth);
        var outcome = await ExchangeAsync("AUTH LOGIN", SmtpStage.DuringAuth, _options.EhloTimeout, 334);
        if (outcome.Reply.Code == 334)
            outcome = await ExchangeAsync(Base64(user), SmtpStage.DuringAuth, _options.EhloTimeout, 334);
        if (outcome.Reply.Code == 334)
            outcome = await ExchangeAsync(Base64(password), SmtpStage.DuringAuth, _options.EhloTimeout, 235);
        return outcome;

        static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>QUIT with a bounded wait for the 221; then the session is unusable. Never fails.</summary>
    public async ValueTask QuitAsync(CancellationToken cancellationToken)
    {
        if (!IsUsable)
            return;
        using var call = Begin(cancellationToken);
        try
        {
            Append("QUIT\r\n"u8);
            if (await FlushAsync(SmtpStage.Idle, _options.QuitTimeout))
                await ReadReplyAsync(SmtpStage.Idle, _options.QuitTimeout);
        }
        catch (OperationCanceledException)
        {
            // Whoever asked is in a hurry; the connection is closed either way.
        }

        IsUsable = false;
    }

    private async ValueTask<SmtpOutcome> HelloAsync()
    {
        var verb = _options.Dialect switch { SmtpDialect.Lmtp => "LHLO ", SmtpDialect.Smtp => "HELO ", _ => "EHLO " };
        (Capabilities, MaxSize) = (SmtpCapabilities.None, 0);
        var outcome = await ExchangeAsync(verb + _heloName, SmtpStage.DuringEhlo, _options.EhloTimeout, 250);
        if (outcome.Reply.IsPermanent && IsUsable && _options.Dialect == SmtpDialect.Esmtp)
            return await ExchangeAsync("HELO " + _heloName, SmtpStage.DuringEhlo, _options.EhloTimeout, 250);
        if (outcome.IsSuccess && _options.Dialect != SmtpDialect.Smtp)
            (Capabilities, MaxSize) = CapabilityParser.Read(outcome.Reply.Text);
        return outcome;
    }

    /// <summary>Sends one command and reads its reply.</summary>
    /// <param name="during">Stage while writing; the next number is the stage while waiting.</param>
    private async ValueTask<SmtpOutcome> ExchangeAsync(string command, SmtpStage during, TimeSpan timeout, int expected)
    {
        Append(command);
        Append("\r\n"u8);
        if (!await FlushAsync(during, _options.WriteTimeout) || await ReadReplyAsync(during + 1, timeout) is not (> 0 and var code))
            return _failure;
        var outcome = Answer(during + 1);
        return code < 400 && code != expected ? Unexpected(outcome) : outcome;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        IsUsable = false;
        _clock.Forget(this);
        _abort.Dispose();
        ReleaseBuffers();
        await _stream.DisposeAsync();
    }

    private static void ThrowIfControl(string text)
    {
        if (text.AsSpan().ContainsAnyInRange('\0', ' '))
            throw new ArgumentException("A host name has no blanks and control characters.", nameof(text));
    }
}
