using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Node.Control;

namespace Veredus.Node.Http;

/// <summary>What machines ask a daemon over HTTP, on the sockets of <c>http_listener</c>: opened with it, and changed with its configuration.</summary>
/// <remarks>Meant for loopback; there is nothing to change and no secret.</remarks>
public abstract class HttpSockets : IConfigurationParticipant, IAsyncDisposable
{
    private readonly SemaphoreSlim _changing = new(1, 1);
    private IControlHost _host = null!;
    private WebApplication? _application;
    private string _listensOn = "";

    /// <summary>The addresses in use, with the ports that the system chose.</summary>
    public IEnumerable<string> Urls => _application?.Urls ?? [];

    /// <summary>Answers one request; see <see cref="SayAsync"/>.</summary>
    protected abstract Task AnswerAsync(HttpContext context);

    /// <summary>Opens the sockets of the configuration in force, and follows it.</summary>
    /// <exception cref="StartupException">One of them cannot be opened.</exception>
    protected async ValueTask OpenAsync(IControlHost host, CancellationToken cancellationToken)
    {
        _host = host;
        var snapshot = host.Configuration.Current;
        try
        {
            (_application, _listensOn) = (await OpenAsync(Listens(snapshot), cancellationToken), Name(snapshot));
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new StartupException(ExitCode.OperatingSystem, $"Cannot listen for HTTP on {Name(snapshot)}: {e.Message}", e);
        }

        host.Configuration.Register(this);
    }

    public async ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        var name = Name(change.New);
        if (name == _listensOn)
            return null;
        await _changing.WaitAsync(cancellationToken);
        try
        {
            // The old sockets go first: old and new may share one, and metrics bear a gap of milliseconds.
            var (old, oldName) = (Listens(change.Old), _listensOn);
            await CloseAsync();
            try
            {
                (_application, _listensOn) = (await OpenAsync(Listens(change.New), cancellationToken), name);
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                problems.Add(change.New.Root.Position, name, $"Cannot listen for HTTP on {name}: {e.Message}");
                (_application, _listensOn) = (await OpenAsync(old, cancellationToken), oldName);
                return null;
            }

            return new Reopened(this, old, oldName);
        }
        finally
        {
            _changing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _changing.Dispose();
        GC.SuppressFinalize(this);
    }

    private static List<ListenDefinition> Listens(ConfigurationSnapshot snapshot) =>
        [.. snapshot.Listens.Where(listen => listen.Listener == ScopeKinds.HttpListener && listen.IsEnabled)];

    private static string Name(ConfigurationSnapshot snapshot) => string.Join(", ", Listens(snapshot).Select(listen => listen.Endpoint.ToString()));

    private async Task<WebApplication?> OpenAsync(List<ListenDefinition> listens, CancellationToken cancellationToken)
    {
        if (listens.Count == 0)
            return null;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.MaxConcurrentConnections = 100;
            foreach (var listen in listens)
                Listen(kestrel, listen.Endpoint);
        });
        var application = builder.Build();
        application.Run(context => context.Request.Method is "GET" or "HEAD" ? AnswerAsync(context) : SayAsync(context, StatusCodes.Status405MethodNotAllowed, "only GET\n"));
        try
        {
            await application.StartAsync(cancellationToken);
            return application;
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }
    }

    private static void Listen(KestrelServerOptions kestrel, ListenEndpoint endpoint)
    {
        if (endpoint.UnixPath is { } path)
        {
            File.Delete(path);
            kestrel.ListenUnixSocket(path);
        }
        else
        {
            kestrel.Listen(new IPEndPoint(endpoint.Address!, endpoint.Port));
        }
    }

    private async Task CloseAsync()
    {
        if (_application is not { } application)
            return;
        _application = null;
        await application.StopAsync();
        await application.DisposeAsync();
    }

    protected static Task SayAsync(HttpContext context, int status, string text, string type = "text/plain; charset=utf-8")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(text, context.RequestAborted);
    }

    private sealed class Reopened(HttpSockets endpoint, List<ListenDefinition> old, string oldName) : IPreparedConfiguration
    {
        public void Commit()
        {
            // Open since it was prepared.
        }

        public async ValueTask AbortAsync()
        {
            await endpoint.CloseAsync();
            try
            {
                (endpoint._application, endpoint._listensOn) = (await endpoint.OpenAsync(old, CancellationToken.None), oldName);
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                endpoint._host.Logs.Panic(PanicLevel.Error, PanicSubsystems.Net, "http", $"cannot listen on {oldName} again: {e.Message}");
            }
        }
    }
}
