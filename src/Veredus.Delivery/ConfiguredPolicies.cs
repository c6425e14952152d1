using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Veredus.Configuration;
using Veredus.Smtp;
using Config = Veredus.Configuration;

namespace Veredus.Delivery;

/// <summary>Delivery's options out of a configuration. Thread-safe.</summary>
/// <param name="hostname">Used where the configuration has no <c>hostname</c>.</param>
public sealed class ConfiguredPolicies(ConfigurationSnapshot snapshot, string hostname) : IPolicySource
{
    private volatile State _state = new(snapshot, hostname, [], 1);

    public long Version => _state.Version;
    public NodePolicy Node => _state.Node;
    public bool HasGateways => _state.HasGateways;

    /// <summary>Another configuration holds; then call <see cref="DeliveryEngine.ConfigurationChangedAsync"/>.</summary>
    public void Update(ConfigurationSnapshot next)
    {
        var old = _state;
        _state = new(next, hostname, old.Node.OwnEndpoints, old.Version + 1);
    }

    /// <summary>Where this node listens for SMTP, wildcards written out; for the loop guard.</summary>
    public void SetOwnEndpoints(EquatableArray<IPEndPoint> endpoints)
    {
        var old = _state;
        _state = new(old.Snapshot, hostname, endpoints, old.Version + 1);
    }

    public SendingPolicy Sending(string group, string binding, string domain) => _state.Sending(group, binding, domain);

    public HostPolicy? Host(string group, string binding, string host) => _state.Host(group, binding, host);

    public EquatableArray<RouteEntry> Routes(string domain)
    {
        var routes = _state.Snapshot.Sending("", "", domain).Get(Options.Routes);
        return routes.Count == 0 ? [] : new([.. routes.Select(Entry)]);
    }

    public string Gateway(string group, string binding, string recipientDomain) =>
        _state.Snapshot.Sending(group, binding, recipientDomain).Get(Options.Gateway) ?? "";

    private static RouteEntry Entry(Config.Route route) => new(
        route.Host ?? RouteEntry.MxPlaceholder, route.Preference, route.Ttl is { } ttl ? (uint)ttl.TotalSeconds : null, route.Port,
        route.Lookup is Config.RouteLookup.Address ? RouteLookup.Address : RouteLookup.Mx);

    /// <summary>One configuration with what was worked out of it.</summary>
    private sealed class State
    {
        private readonly ConditionalWeakTable<OptionView, SendingPolicy> _policies = [];
        private readonly ConditionalWeakTable<OptionView, SendingPolicy> _suspended = [];
        private readonly bool _hasHosts;
        private readonly bool _isDefaultSuspended;

        public State(ConfigurationSnapshot snapshot, string hostname, EquatableArray<IPEndPoint> own, long version)
        {
            (Snapshot, Version) = (snapshot, version);
            var global = snapshot.Global;
            Node = new(global.Get(Options.Hostname) ?? hostname)
            {
                ProhibitedHosts = new([.. global.Get(Options.ProhibitedHosts).Networks]),
                SkipHosts = new([.. global.Get(Options.SkipHosts).Networks]),
                OwnEndpoints = own,
                UseIpv6 = global.Resolve(Options.UseIpv6) is { IsSet: true } chosen ? chosen.Value : HasIpv6Source(snapshot),
                MaxResidentMessages = global.Get(Options.MaxResidentMessages),
            };
            HasGateways = Sets(snapshot.Root, scope => scope.Find(Options.Gateway) is not null);
            _isDefaultSuspended = global.Get(Options.DefaultBinding) is DefaultBindingMode.Suspended;
            _hasHosts = Sets(snapshot.Root, scope => scope.Kind == ScopeKinds.Host);
        }

        public ConfigurationSnapshot Snapshot { get; }
        public long Version { get; }
        public NodePolicy Node { get; }
        public bool HasGateways { get; }

        public SendingPolicy Sending(string group, string binding, string domain)
        {
            var view = Snapshot.Sending(group, binding, domain);
            return _isDefaultSuspended && binding == "default" && group == "default"
                ? _suspended.GetValue(view, key => Read(key) with { Suspended = true })
                : _policies.GetValue(view, Read);
        }

        public HostPolicy? Host(string group, string binding, string host)
        {
            if (!_hasHosts)
                return null;
            var view = Snapshot.Host(group, binding, host);
            return view.SearchOrder.Count == 0 ? null : new(view.Get(Options.MaxOutboundConnections), new([.. Shared(view, Options.ScopeMaxOutboundConnections, "scope")]));
        }

        private SendingPolicy Read(OptionView view)
        {
            var (source, second) = (view.Get(Options.BindAddress).Address, view.Get(Options.BindAddressSecondary).Address);
            return new()
            {
                Suspended = view.Get(Options.SuspendDelivery),
                Blackhole = view.Get(Options.Blackhole) is not BlackholeMode.No,
                BindAddress = source,
                BindAddressSecondary = second,
                EhloHostname = view.Get(Options.EhloHostname) is var name && name == "__hostname__" ? Node.Hostname : name,
                Method = view.Get(Options.Delivery) switch { DeliveryMethod.Lmtp => SmtpDialect.Lmtp, DeliveryMethod.Smtp => SmtpDialect.Smtp, _ => SmtpDialect.Esmtp },
                SmtpPort = view.Get(Options.RemoteSmtpPort),
                LmtpPort = view.Get(Options.LmtpPort),
                Send8BitMime = view.Get(Options.Send8bitmime) is EightBitPolicy.IfAvailable,
                Tls = ReadTls(view),
                MaxConnections = view.Get(Options.MaxOutboundConnections),
                Growth = view.Get(Options.ConnectionAllocationAggressiveness) is ConnectionGrowth.High ? Growth.High : Growth.Normal,
                SharedLimits = new([.. Shared(view, Options.ServerMaxOutboundConnections, "server"), .. Shared(view, Options.ScopeMaxOutboundConnections, "scope")]),
                ConnectionRate = RateOf(view.Resolve(Options.OutboundThrottleConnections), "connections"),
                MessageRate = RateOf(view.Resolve(Options.OutboundThrottleMessages), "messages"),
                MaxDeliveriesPerConnection = view.Get(Options.MaxDeliveriesPerConnection),
                MaxRecipientsPerConnection = view.Get(Options.MaxRecipientsPerConnection),
                MaxRecipientsPerBatch = view.Get(Options.MaxRecipientsPerBatch),
                IdleSeconds = Seconds(view.Get(Options.IdleTimeout)),
                HostFailureRetrySeconds = Seconds(view.Get(Options.HostFailureRetry)),
                MxFailuresToDelay = view.Get(Options.MxFailuresToDelay),
                ConnectTimeoutToDelaySeconds = Seconds(view.Get(Options.ConnectTimeoutToDelay)),
                ConnectTimeoutSeconds = Seconds(view.Get(Options.ConnectTimeout)),
                EhloTimeoutSeconds = Seconds(view.Get(Options.EhloTimeout)),
                MailFromTimeoutSeconds = Seconds(view.Get(Options.MailfromTimeout)),
                RcptToTimeoutSeconds = Seconds(view.Get(Options.RcpttoTimeout)),
                BodyTimeoutSeconds = Seconds(view.Get(Options.BodyTimeout)),
                RsetTimeoutSeconds = Seconds(view.Get(Options.RsetTimeout)),
                Retry = ReadRetry(view),
                DnsFailuresToPurge = view.Get(Options.DnsFailuresToPurge),
                MxFailuresFallbackToA = view.Get(Options.MxFailuresFallbackToA),
                MaxResidentActive = view.Get(Options.MaxResidentActiveQueue),
                GenerateBounces = view.Get(Options.GenerateBounces),
                BounceOriginal = view.Get(Options.BouncesInlineOriginal) switch { DsnContent.All => OriginalInDsn.All, DsnContent.None => OriginalInDsn.None, _ => OriginalInDsn.Headers },
                MailerDaemon = view.Get(Options.Mailerdaemon) ?? "",
                DoubleBounceTo = view.Get(Options.MdnFailuresNotify) ?? "",
            };
        }

        private static RetryPolicy ReadRetry(OptionView view) => new(
            Seconds(view.Get(Options.RetryInterval)), Seconds(view.Get(Options.MaxRetryInterval)),
            view.Get(Options.MaxRetries) is { Mode: RetryLimitMode.Count } limit ? limit.Count : -1,
            Seconds(view.Get(Options.MessageExpiration)), view.Get(Options.NeverRetry), view.Get(Options.NeverAttemptExpiredMessages));

        private static TlsPolicy ReadTls(OptionView view) => new(
            view.Get(Options.TlsOutbound) switch { Config.TlsPolicy.Required => TlsUse.Required, Config.TlsPolicy.IfAvailable => TlsUse.IfAvailable, _ => TlsUse.No },
            view.Get(Options.TlsIfavailableFallback),
            view.Get(Options.TlsVerifyServer) switch { Config.TlsVerify.Ca => Smtp.TlsVerify.Ca, Config.TlsVerify.Host => Smtp.TlsVerify.Host, Config.TlsVerify.Optional => Smtp.TlsVerify.Optional, _ => Smtp.TlsVerify.None },
            FileName(view.Get(Options.TlsCa)), FileName(view.Get(Options.TlsCertificate)), FileName(view.Get(Options.TlsKey)), view.Get(Options.TlsProtocols));

        private static string FileName(string? value) => value is null or "none" ? "" : value;

        /// <summary>One limit for each scope on the way that sets the option; negative ones set nothing.</summary>
        private static IEnumerable<ScopedLimit> Shared(OptionView view, Option<int> option, string kind)
        {
            var global = false;
            foreach (var scope in view.SearchOrder)
            {
                global |= scope.Kind == ScopeKinds.Global && scope.Find(option) is not null;
                if (scope.Find(option) is Resolved<int> { Value: >= 0 } own)
                    yield return new($"{kind} {own.ScopeId}", own.Value);
            }
            if (!global && option.Default >= 0)
                yield return new($"{kind} ", option.Default);
        }

        private static ScopedRate? RateOf(Resolved<Rate> rate, string kind) =>
            rate.Value.IsUnlimited ? null : new($"{kind} {rate.ScopeId}", rate.Value.Events, rate.Value.Seconds);

        private static bool HasIpv6Source(ConfigurationSnapshot snapshot) => Sets(snapshot.Root, scope =>
            IsIpv6(scope.Find(Options.BindAddress)) || IsIpv6(scope.Find(Options.BindAddressSecondary)));

        private static bool IsIpv6(Resolved? address) => address is Resolved<HostAddress> { Value.Address.AddressFamily: AddressFamily.InterNetworkV6 };

        private static bool Sets(ScopeNode scope, Func<ScopeNode, bool> test) => test(scope) || scope.Children.Any(child => Sets(child, test));

        private static int Seconds(TimeSpan span) => (int)Math.Min(span.TotalSeconds, int.MaxValue);
    }
}
