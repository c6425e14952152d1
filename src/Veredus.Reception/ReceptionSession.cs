using System.Net;
using Veredus.Logging;
using Veredus.Reception.Policy;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Reception;

/// <summary>The policy of one inbound session (mta.md 2 and 3): who may send, to whom, how much, and what becomes of the message.</summary>
/// <remarks>One per session, never used by two threads at a time. Dispose it when the session has ended.</remarks>
public sealed partial class ReceptionSession : ISmtpServerHandler, IDisposable
{
    private readonly ReceptionParts _parts;
    private readonly ConnectionContext _context = new();
    private InboundPolicy _policy;
    private MessageId _connectionId;
    private IPAddress? _policyFor;
    private bool _isCounted;
    private bool _addressMayRelay;
    private bool _isAuthenticated;
    private bool _certificateMayRelay;

    /// <param name="isUnixSocket">The client has no address; it counts as loopback.</param>
    public ReceptionSession(ReceptionParts parts, InboundPolicy policy, bool isUnixSocket = false)
    {
        (_parts, _policy, IsUnixSocket) = (parts, policy, isUnixSocket);
    }

    public bool IsUnixSocket { get; }

    /// <summary>ID of the connection in logs; zero before the session has begun.</summary>
    public MessageId ConnectionId => _connectionId;

    /// <summary>What holds for this session now.</summary>
    public InboundPolicy Policy => _policy;

    /// <summary>Connection context as policy sees it.</summary>
    public IReadOnlyDictionary<string, string> Context => _context.Snapshot();

    private bool MayRelay => _addressMayRelay || _isAuthenticated || _certificateMayRelay;

    public ValueTask<SmtpReply?> ConnectAsync(SmtpServerSession session, CancellationToken cancellationToken)
    {
        _connectionId = _parts.Ids.Next();
        _isCounted = _parts.Sessions.TryEnter(_policy.Endpoint, _policy.ListenerSessions, _policy.ServiceSessions);
        if (!_isCounted)
            return new(SmtpReplies.ConcurrencyLimit);
        if (_parts.Memory.IsAbove(_parts.Settings.Rules.MemoryHighWaterPercent))
            return new(SmtpReplies.MemoryLimit);
        if (_parts.Spool.Fault is not null)
            return new(ReceptionReplies.NoMailNow);
        ApplyPolicy(session);
        return default;
    }

    public ValueTask<SmtpReply?> HelloAsync(SmtpServerSession session, CancellationToken cancellationToken)
    {
        FollowClient(session);
        if (session.Tls is { } tls)
        {
            _context.SetTls(tls);
            _certificateMayRelay = tls.PeerVerified && _policy.TlsVerifiedPeerCanRelay;
        }

        if (session.EarlyTalker)
            _context.Set(ContextKeys.EarlyTalker, "yes");
        _context.Set(ContextKeys.EhloString, session.HelloName);
        _context.Set(ContextKeys.EhloDomain, session.HelloName.StartsWith('[') ? "" : session.HelloName.ToLowerInvariant());
        _context.SetFlag(ContextKeys.CanRelay, MayRelay);
        return default;
    }

    public ValueTask<AuthResult> AuthenticateAsync(SmtpServerSession session, PasswordCredentials credentials, CancellationToken cancellationToken)
    {
        if (_policy.AlwaysDeny)
            return new(AuthResult.Fail);
        if (_policy.AlwaysAllow)
            return new(AuthResult.Pass);
        var store = credentials.Mechanism == AuthMechanisms.Login ? _policy.LoginStore : _policy.PlainStore;
        if (store is null)
            return new(AuthResult.Error);
        // A user may only act as himself.
        if (credentials.AuthorizationId.Length > 0 && credentials.AuthorizationId != credentials.User)
            return new(AuthResult.Fail);
        return new(store.Check(credentials.User, credentials.Password) ? AuthResult.Pass : AuthResult.Fail);
    }

    public ValueTask<ISaslExchange?> BeginScramAsync(SmtpServerSession session, CancellationToken cancellationToken) =>
        new(_policy.AlwaysDeny ? null : _policy.ScramStore?.Begin());

    public void AuthenticationEnded(SmtpServerSession session, AuthMechanisms mechanism, string user, AuthResult result)
    {
        _isAuthenticated = result == AuthResult.Pass;
        _context.Set(ContextKeys.AuthName, mechanism switch { AuthMechanisms.ScramSha256 => "SCRAM-SHA-256", AuthMechanisms.Login => "LOGIN", _ => "PLAIN" });
        _context.Set(ContextKeys.AuthStatus, result switch { AuthResult.Pass => "pass", AuthResult.Error => "error", _ => "fail" });
        _context.Set(ContextKeys.AuthUser, user);
        _context.SetFlag(ContextKeys.CanRelay, MayRelay);
        if ((_policy.AccountedMechanisms & mechanism) == 0)
            return;
        _parts.Log.Write(new AuthenticationRecord
        {
            Time = Now,
            Endpoint = _policy.Endpoint,
            Peer = IsUnixSocket ? null : session.RemoteEndPoint,
            User = user,
            Result = result switch { AuthResult.Pass => AccountResult.Allowed, AuthResult.Error => AccountResult.Error, _ => AccountResult.Refused },
        });
    }

    public ValueTask<SmtpReply?> XclientAsync(SmtpServerSession session, XclientCommand command, CancellationToken cancellationToken)
    {
        // What the proxy itself was allowed does not pass to its client; the next EHLO or MAIL resolves the client's own policy.
        (_isAuthenticated, _certificateMayRelay, _addressMayRelay) = (command.Login is { Length: > 0 }, false, false);
        _context.Clear();
        if (_isAuthenticated)
        {
            _context.Set(ContextKeys.AuthStatus, "pass");
            _context.Set(ContextKeys.AuthUser, command.Login!);
        }

        _policyFor = null;
        return default;
    }

    public void Refused(SmtpServerSession session, SmtpReply reply)
    {
        _parts.Received.Rejected();
        var state = ReferenceEquals(reply, SmtpReplies.ConcurrencyLimit) ? SessionState.ConcurrencyLimit
            : reply.Module == "relay" ? SessionState.RelayingDenied : session.State;
        _parts.Log.Write(new RejectRecord
        {
            Time = Now,
            Remote = IsUnixSocket ? null : session.RemoteEndPoint,
            Local = IsUnixSocket ? null : session.LocalEndPoint,
            ConnectionId = LogId.From(_connectionId),
            Pathway = _policy.Pathway,
            PathwayGroup = _policy.PathwayGroup,
            State = state.Name(),
            Code = reply.Code,
            Module = reply.Module,
            ConnectionContext = _context.WithCounts(session),
            MessageContext = _transaction?.ContextFor(_refusedRecipient),
            Text = reply.Status.IsNone ? reply.Text.Replace('\n', ' ') : $"{reply.Status} {reply.Text.Replace('\n', ' ')}",
            Facts = new() { Sender = _transaction?.Mail.Sender.Value, Recipient = _refusedRecipient.Value },
        });
    }

    /// <summary>Ends what the session still holds. The session itself must have ended.</summary>
    public void Dispose()
    {
        DropTransaction();
        if (_isCounted)
            _parts.Sessions.Leave(_policy.Endpoint);
        _isCounted = false;
    }

    private long Now => _parts.Time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>After XCLIENT the client is another one, and another policy may hold.</summary>
    private void FollowClient(SmtpServerSession session)
    {
        if (session.RemoteEndPoint.Address.Equals(_policyFor))
            return;
        if (_parts.Settings.Policy(_policy.Endpoint, session.RemoteEndPoint.Address) is { } policy)
            (_policy, session.Options) = (policy, policy.Options);
        ApplyPolicy(session);
    }

    private void ApplyPolicy(SmtpServerSession session)
    {
        _policyFor = session.RemoteEndPoint.Address;
        _addressMayRelay = RelayDecision.AddressMayRelay(_policy, _policyFor);
        foreach (var (key, value) in _policy.Context)
            _context.Set(key, value);
        _context.Set(ContextKeys.Pathway, _policy.Pathway);
        if (_policy.AssignBinding is { } binding)
            _context.Set(ContextKeys.AssignBinding, binding);
        if (_policy.AssignBindingGroup is { } group)
            _context.Set(ContextKeys.AssignBindingGroup, group);
    }
}
