using Veredus.Configuration;
using Veredus.Control.Commands;
using Veredus.Logging;
using Veredus.Smtp;

namespace Veredus.Node.Control;

/// <summary>Answers the console's questions about the node as a whole.</summary>
internal sealed class NodeConsole(VeredusNode node, string version) : INodeConsole
{
    private static readonly (ScopeKinds Kind, string Description)[] ModuleKinds =
    [
        (ScopeKinds.EcLogger, "mainlog, rejectlog, paniclog, acctlog, importlog"), (ScopeKinds.BounceLogger, "bouncelog"),
    ];

    public string HostName => node.Hostname;

    public string Version => version;

    public IReadOnlyList<SessionLine> Inbound()
    {
        var now = node.Time.GetUtcNow();
        return [.. node.InboundSessions.Select(session => new SessionLine(
            session.Number, "SMTP", session.Session.RemoteEndPoint.ToString(), session.Session.State.Name(),
            Math.Round((now - session.Session.Started).TotalSeconds, 3)))];
    }

    public IReadOnlyList<ModuleLine> Modules() => [.. ModuleKinds.SelectMany(kind => node.Configuration.Current.Root.Children.Where(scope => scope.Kind == kind.Kind)
        .Select(module => new ModuleLine(module.Name, module.Instance, module.Get(Options.ModuleEnabled), kind.Description)))];

    public void ReopenLogs() => node.ReopenLogs();

    public int FlushTlsCache()
    {
        var count = node.CertificateFiles.Count();
        foreach (var problem in node.RereadFiles())
            node.Logs.Panic(PanicLevel.Error, PanicSubsystems.Ssl, "", problem);
        return count;
    }

    public IReadOnlyList<TlsContextLine> TlsContexts() => [.. node.CertificateFiles.Distinct(StringComparer.Ordinal)
        .Select(file => new TlsContextLine(file, Math.Max(0, (node.Time.GetUtcNow() - File.GetLastWriteTimeUtc(file)).TotalSeconds), node.InboundSessions.Count(session => session.Session.Tls is not null)))];

    public void Shutdown(bool now) => node.RequestStop(now);
}
