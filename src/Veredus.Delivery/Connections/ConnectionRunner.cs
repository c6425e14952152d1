using System.Net.Sockets;
using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>Runs one outbound connection from connect to QUIT (<c>mta.md</c> 6.2, 6.3). One asynchronous loop per connection.</summary>
internal sealed partial class ConnectionRunner(DeliveryEngine engine, DeliveryParts parts, Outcomes outcomes)
{
    /// <summary><c>ehlo_hostname</c>: the sender's domain.</summary>
    private const string FollowSender = "__message__";

    /// <summary>How long clear text is used with a host whose TLS has failed.</summary>
    private const long ClearTextMs = 600_000;

    private readonly TlsMaterial _tls = new(parts.Observer);

    public TlsMaterial Tls => _tls;

    /// <returns><see langword="true"/>: the host failed this connection, leave its address alone for a while.</returns>
    public async Task<bool> RunAsync(OutboundConnection connection)
    {
        var policy = connection.Queue.Policy;
        var helo = policy.EhloHostname;
        if (helo == FollowSender)
        {
            if (!TakeFirst(connection, out helo))
                return false;
        }
        var (session, failure) = await OpenAsync(connection, policy, helo);
        if (session is null)
        {
            engine.Locked(static (scheduler, now, failed) =>
            {
                foreach (var message in failed.connection.Batch.ToArray())
                    scheduler.PutBack(message, now);
                failed.connection.Batch.Clear();
                if (!failed.isAway)
                    scheduler.OpeningFailed(failed.connection, failed.failure, now);
                return 0;
            }, (connection, failure, isAway: IsAway(connection)));
            return false;
        }
        await using (session)
        {
            connection.Session = session;
            return await ServeAsync(connection, session);
        }
    }

    /// <summary>The binding's address has left this host: what fails then is no fault of the destination, and nothing is charged.</summary>
    private bool IsAway(OutboundConnection connection) => !parts.Presence.IsHere(connection.Queue.Binding.Group.Name, connection.Queue.Binding.Name);

    /// <summary>For EHLO with the sender's domain a message is needed before the connection.</summary>
    private bool TakeFirst(OutboundConnection connection, out string helo)
    {
        helo = parts.Policies.Node.Hostname;
        if (engine.Locked(static (scheduler, now, connection) => scheduler.Take(connection, now, mayPark: false), connection) is not Taken.Messages)
            return false;
        if (outcomes.TryRead(connection.Batch[0], out _) is { } envelope && new EnvelopeAddress(envelope.Sender).Domain is { IsEmpty: false } domain)
            helo = domain.ToString();
        connection.SenderDomain = helo;
        return true;
    }

    private async ValueTask<(SmtpClientSession? Session, Ending Failure)> OpenAsync(OutboundConnection connection, SendingPolicy policy, string helo)
    {
        var failure = new Ending(DeliveryReplies.NoValidHosts(connection.Queue.Domain.Name, ""));
        var tries = 0;
        while (connection.Target is { } target)
        {
            tries++;
            var (session, fault) = await TryTargetAsync(connection, target, policy, helo);
            if (session is not null)
                return (session, default);
            failure = fault;
            if (ReferenceEquals(fault.Reply, DeliveryReplies.LocalAddressMissing) && !IsAway(connection))
            {
                parts.Observer.Notice(DeliveryNotice.LocalAddressMissing, $"binding {connection.Queue.Binding.Name}: {SourceSocket.SourceFor(policy, target.Address.Endpoint.AddressFamily)} is not an address of this machine");
                break;
            }
            engine.Locked(static (scheduler, now, last) => scheduler.NextTarget(last.connection, failed: !last.isAway, now), (connection, isAway: IsAway(connection)));
        }
        // One host that says clearly what is wrong is quoted; several, or a refusal, are "no valid hosts".
        var isClear = failure.Reply.IsInternal() && failure.Reply.IsTransient && (tries == 1 || failure.Reply.Status is (4, 7, _))
            && (failure.Reply.Status is (4, 4, 2) or (4, 7, _) || ReferenceEquals(failure.Reply, DeliveryReplies.ConnectionTimedOut) || ReferenceEquals(failure.Reply, DeliveryReplies.LocalAddressMissing));
        return (null, isClear ? failure : new(DeliveryReplies.NoValidHosts(connection.Queue.Domain.Name, Detail(failure.Reply)), failure.Stage));
    }

    private static string Detail(SmtpReply reply) =>
        reply.IsInternal() ? reply.Text[DeliveryReplies.Mark.Length..].Trim() : reply.ToString();

    private async ValueTask<(SmtpClientSession? Session, Ending Failure)> TryTargetAsync(OutboundConnection connection, Target target, SendingPolicy policy, string helo)
    {
        var started = parts.Time.GetTimestamp();
        var useTls = policy.Tls.Use is not TlsUse.No && (policy.Tls.Use is TlsUse.Required || !IsClearText(target));
        var (session, failure, fallBack) = await TrySessionAsync(connection, target, policy, helo, useTls);
        if (session is null && fallBack)
        {
            engine.Locked(static (_, now, target) => target.Address.ClearTextUntil = now.Ms + ClearTextMs, target);
            (session, failure, _) = await TrySessionAsync(connection, target, policy, helo, useTls: false);
        }
        if (session is null)
            return (null, failure);
        var elapsed = parts.Time.GetElapsedTime(started).TotalMilliseconds;
        engine.Locked(static (_, now, done) => { Scheduler.Connected(done.connection, done.elapsed, now); return 0; }, (connection, elapsed));
        return (session, default);
    }

    private bool IsClearText(Target target) => engine.Locked(static (_, now, target) => target.Address.ClearTextUntil > now.Ms, target);

    private async ValueTask<(SmtpClientSession? Session, Ending Failure, bool FallBack)> TrySessionAsync(
        OutboundConnection connection, Target target, SendingPolicy policy, string helo, bool useTls)
    {
        var endpoint = target.Address.Endpoint;
        var timeout = TimeSpan.FromSeconds(policy.ConnectTimeoutSeconds);
        var (socket, refused) = await SourceSocket.ConnectAsync(endpoint, SourceSocket.SourceFor(policy, endpoint.AddressFamily), timeout, parts.Time, engine.Aborting);
        if (socket is null)
            return (null, refused!, false);
        var queue = connection.Queue;
        (connection.Descriptor, connection.Socket) = ((int)socket.Handle, socket);
        var stream = engine.Traces.Wrap(new NetworkStream(socket, ownsSocket: true), queue.Binding.Name, queue.Domain.Name, $"#{connection.Number} {endpoint}");
        var session = new SmtpClientSession(stream, OptionsOf(policy), parts.Deadlines);
        try
        {
            var opened = await session.OpenAsync(helo, engine.Aborting);
            if (!opened.IsSuccess)
                return (await EndAsync(session), new(opened.Reply, opened.Stage), false);
            if (!useTls)
                return (session, default, false);
            if ((session.Capabilities & SmtpCapabilities.StartTls) == 0)
            {
                return policy.Tls.Use is not TlsUse.Required ? (session, default, false)
                    : (await EndAsync(session), new(InternalReplies.StartTlsNotOffered, SmtpStage.AfterEhlo), false);
            }
            return await StartTlsAsync(session, target, queue.Domain.Name, policy.Tls);
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    private async ValueTask<(SmtpClientSession? Session, Ending Failure, bool FallBack)> StartTlsAsync(SmtpClientSession session, Target target, string domain, TlsPolicy policy)
    {
        if (_tls.For(policy, target.Host.Name, domain) is not { } settings)
            return (await EndAsync(session), new(DeliveryReplies.TlsMaterialMissing, SmtpStage.DuringStartTls), false);
        var secured = await session.StartTlsAsync(settings, engine.Aborting);
        if (secured.IsSuccess)
            return (session, default, false);
        if (session.IsUsable && policy.Use is TlsUse.IfAvailable)
            return (session, default, false);  // it refused the command and goes on in clear text
        var isVerdict = ReferenceEquals(secured.Reply, InternalReplies.CertificateUntrusted) || ReferenceEquals(secured.Reply, InternalReplies.CertificateNameMismatch);
        var reply = secured.Reply.IsInternal() ? secured.Reply : DeliveryReplies.StartTlsRefused;
        return (await EndAsync(session), new(reply, secured.Stage), policy is { Use: TlsUse.IfAvailable, Fallback: true } && !isVerdict);
    }

    /// <summary>Says goodbye to a session that is of no use.</summary>
    private async ValueTask<SmtpClientSession?> EndAsync(SmtpClientSession session)
    {
        await session.QuitAsync(engine.Aborting);
        await session.DisposeAsync();
        return null;
    }

    private static SmtpClientOptions OptionsOf(SendingPolicy policy) => new()
    {
        Dialect = policy.Method,
        BannerTimeout = TimeSpan.FromSeconds(policy.ConnectTimeoutSeconds),
        EhloTimeout = TimeSpan.FromSeconds(policy.EhloTimeoutSeconds),
        MailTimeout = TimeSpan.FromSeconds(policy.MailFromTimeoutSeconds),
        RcptTimeout = TimeSpan.FromSeconds(policy.RcptToTimeoutSeconds),
        BodyTimeout = TimeSpan.FromSeconds(policy.BodyTimeoutSeconds),
        RsetTimeout = TimeSpan.FromSeconds(policy.RsetTimeoutSeconds),
    };
}
