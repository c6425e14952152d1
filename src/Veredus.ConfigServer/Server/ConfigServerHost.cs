using System.Net.Security;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>What an ecconfigd needs to know.</summary>
public sealed record ConfigServerOptions
{
    public const int DefaultPort = 2027;
    public const string DefaultDirectory = "/var/lib/veredus/ecconfigd";

    /// <summary>This server's node name; the lowest leads.</summary>
    public required string NodeName { get; init; }
    /// <summary>Holds <c>repo/</c>, <c>tls/</c> and <c>users</c>.</summary>
    public string Directory { get; init; } = DefaultDirectory;
    /// <summary>How clients and other servers reach this host.</summary>
    public required string HostName { get; init; }
    /// <summary>0: any free one.</summary>
    public int Port { get; init; } = DefaultPort;
    /// <summary>The group <c>ec_config</c>; null = a server alone.</summary>
    public IGroupBus? Bus { get; init; }
    /// <summary>The group that nodes follow in; null: they learn by looking.</summary>
    public IGroupBus? NodeBus { get; init; }
    /// <summary>Of the user <c>ecuser</c>, the same on all servers.</summary>
    public required string ServicePassword { get; init; }
    /// <summary>Null = auto: commits need a majority of the servers from three servers up.</summary>
    public bool? RequireMajority { get; init; }
    public TimeProvider Time { get; init; } = TimeProvider.System;
    public Action<string> Log { get; init; } = _ => { };
}

/// <summary>ecconfigd: repositories over HTTPS, users, control API, replication.</summary>
public sealed class ConfigServerHost : IAsyncDisposable
{
    public const string ServiceUser = "ecuser";
    public const string Group = "ec_config";
    /// <summary>Where nodes hear of new heads and say what they run.</summary>
    public const string NodeGroup = FollowMessage.Group;
    private const long MaxRequestBytes = 160 * 1024 * 1024;
    private readonly WebApplication _web;
    private readonly CertificateKeeper _certificate;
    private readonly FileSystemWatcher _watcher;
    private readonly ConfirmationKeeper _confirmations;

    private ConfigServerHost(WebApplication web, CertificateKeeper certificate, Replicator replicator, FollowDesk desk, ConfirmationKeeper confirmations, LagKeeper lags, RepositoryStore store, UserFile users, FileSystemWatcher watcher, int port) =>
        (_web, _certificate, Replicator, Desk, _confirmations, Lags, Store, Users, _watcher, Port) = (web, certificate, replicator, desk, confirmations, lags, store, users, watcher, port);

    public int Port { get; }

    public UserFile Users { get; }

    public RepositoryStore Store { get; }

    internal Replicator Replicator { get; }

    internal FollowDesk Desk { get; }

    internal LagKeeper Lags { get; }

    /// <summary>PEM; what clients pin.</summary>
    public string CertificatePem => _certificate.Pem;

    /// <summary>Makes what is missing (repositories <c>global</c> and <c>default</c>, key, certificate), listens, joins the group.</summary>
    public static async Task<ConfigServerHost> StartAsync(ConfigServerOptions options, CancellationToken cancellationToken)
    {
        ClusterBoot.CheckName(options.NodeName, "node_name");
        var store = new RepositoryStore(Path.Combine(options.Directory, "repo"));
        Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(store.Root);
        foreach (var name in store.Names().Union([WorkingCopy.GlobalName, "default"]))
            await store.CreateAsync(name, cancellationToken);
        var users = new UserFile(Path.Combine(options.Directory, "users"), options.Time);
        users.SetService(options.ServicePassword);
        var certificate = new CertificateKeeper(Path.Combine(options.Directory, "tls"), [options.HostName, "localhost", "127.0.0.1"], options.Time, options.Log);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxRequestBytes;
            kestrel.Limits.MaxConcurrentConnections = 512;
            kestrel.ListenAnyIP(options.Port, listen => listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => new(new SslServerAuthenticationOptions { ServerCertificateContext = certificate.Context }),
            }));
        });
        var web = builder.Build();
        Replicator? replicator = null;
        GitBackend? git = null;
        ControlApi? api = null;
        web.Run(context => HandleAsync(context, users, () => (git, api)));
        await web.StartAsync(cancellationToken);
        var address = web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var port = new Uri(address.Replace("[::]", "localhost", StringComparison.Ordinal)).Port;
        var gate = new PushGate(store);
        replicator = new(store, options.Bus ?? new InProcessBus(Group), new(options.NodeName, options.HostName, port, certificate.Pem), users, options.ServicePassword, options.RequireMajority, options.Time, options.Log);
        var desk = new FollowDesk(options.NodeBus ?? new InProcessBus(FollowMessage.Group), options.Time, () => replicator.Notices, Path.Combine(options.Directory, "nodes"), options.Log);
        replicator.Changed += desk.Announce;
        certificate.Changed += replicator.ShowCertificate;
        var confirmations = new ConfirmationKeeper(store, replicator, options.NodeName, options.Time, options.Log);
        replicator.Changed += confirmations.Look;
        var lags = new LagKeeper(replicator, options.Time, options.Log);
        (git, api) = (new(store, gate, replicator), new(store, gate, replicator, desk, confirmations, lags, users, options.NodeName, options.ServicePassword, Path.Combine(options.Directory, "conflicts"), options.Time));
        replicator.Start();
        // 'configd user' in another process: the other servers hear of it at once.
        var watcher = new FileSystemWatcher(options.Directory, "users") { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite };
        watcher.Renamed += (_, _) => replicator.TellUsers();
        watcher.EnableRaisingEvents = true;
        return new(web, certificate, replicator, desk, confirmations, lags, store, users, watcher, port);
    }

    private static async Task HandleAsync(HttpContext context, UserFile users, Func<(GitBackend?, ControlApi?)> parts)
    {
        if (parts() is not ({ } git, { } api))
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "Starting.");
            return;
        }
        if (await SignInAsync(context, users) is not { } user)
            return;
        var words = (context.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (words is ["config", var repository, .. var rest] && repository.EndsWith(".git", StringComparison.Ordinal))
            await git.HandleAsync(context, repository[..^4], string.Join('/', rest), user);
        else if (words is ["api", "v1", var what])
            await api.HandleAsync(context, what, user);
        else
            await RefuseAsync(context, StatusCodes.Status404NotFound, "Nothing here; repositories are /config/NAME.git, the API is /api/v1.");
    }

    private static async Task<ConfigUser?> SignInAsync(HttpContext context, UserFile users)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) && header.Length < 1024)
        {
            var buffer = new byte[1024];
            if (Convert.TryFromBase64String(header[6..], buffer, out var length) && Encoding.UTF8.GetString(buffer, 0, length) is var pair && pair.IndexOf(':', StringComparison.Ordinal) is > 0 and var at)
            {
                var address = context.Connection.RemoteIpAddress?.ToString() ?? "";
                if (users.SignIn(address, pair[..at], pair[(at + 1)..], out var isLimited) is { } user)
                    return user;
                if (isLimited)
                {
                    context.Response.Headers.RetryAfter = "60";
                    await RefuseAsync(context, StatusCodes.Status429TooManyRequests, "Too many wrong passwords from this address; wait a minute.");
                    return null;
                }
            }
        }
        context.Response.Headers.WWWAuthenticate = "Basic realm=\"ecconfigd repo\"";
        await RefuseAsync(context, StatusCodes.Status401Unauthorized, "Wrong user name or password.");
        return null;
    }

    internal static Task RefuseAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text + "\n", context.RequestAborted);
    }

    public async ValueTask DisposeAsync()
    {
        _watcher.Dispose();
        await _web.StopAsync();
        await _confirmations.DisposeAsync();
        await Lags.DisposeAsync();
        await Replicator.DisposeAsync();
        await Desk.DisposeAsync();
        await _web.DisposeAsync();
        await _certificate.DisposeAsync();
    }
}
