using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Veredus.Cluster;
using Veredus.Node.Http;

namespace Veredus.Manager.Hosting;

/// <summary>
/// What machines ask a manager over HTTP: <c>/metrics</c> (Prometheus text), <c>/healthz</c> (the process works) and <c>/readyz</c> (it is in the control group:
/// commands reach nodes).
/// </summary>
public sealed class ManagerHttp : HttpSockets, IManagerService
{
    private VeredusManager _manager = null!;

    public ValueTask StartAsync(VeredusManager manager, CancellationToken cancellationToken)
    {
        _manager = manager;
        return OpenAsync(manager, cancellationToken);
    }

    protected override Task AnswerAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Request.Path.Value switch
        {
            "/metrics" => SayAsync(context, StatusCodes.Status200OK, Render(), "text/plain; version=0.0.4; charset=utf-8"),
            "/healthz" => SayAsync(context, StatusCodes.Status200OK, "ok\n"),
            "/readyz" => _manager.Group.Membership.Members.Count > 0 ? SayAsync(context, StatusCodes.Status200OK, "ready\n")
                : SayAsync(context, StatusCodes.Status503ServiceUnavailable, "not in the control group\n"),
            _ => SayAsync(context, StatusCodes.Status404NotFound, "there are /metrics, /healthz and /readyz\n"),
        };
    }

    private string Render()
    {
        var text = new StringBuilder(2048);
        var members = _manager.Group.Membership.Members.Select(member => member.Hello).OfType<Hello>().ToList();
        Metrics.Gauge(text, "veredus_manager_connected", "1 while this manager is in the control group.", _manager.Group.Membership.Members.Count > 0 ? 1 : 0);
        Metrics.Head(text, "veredus_cluster_members", "gauge", "Members of the control group by what they are.");
        foreach (var kind in (MemberKind[])[MemberKind.Veredus, MemberKind.Manager])
            text.Append(CultureInfo.InvariantCulture, $"veredus_cluster_members{{type=\"{kind.ToString().ToLowerInvariant()}\"}} {members.Count(member => member.Kind == kind)}\n");
        Metrics.Gauge(text, "veredus_control_cache_answers", "Answers to delegated commands that can be retrieved.", _manager.Cache.All().Count);
        Metrics.Gauge(text, "veredus_control_cache_bytes", "Octets of these answers.", _manager.Cache.Bytes);
        Metrics.Gauge(text, "veredus_start_time_seconds", "When the manager was started, in Unix seconds.", _manager.Started.ToUnixTimeSeconds());
        Metrics.Counter(text, "veredus_log_lines_dropped_total", "Log lines that found no room.", _manager.Logs.Counters.Sum(one => one.Dropped));
        foreach (var service in _manager.Services)
            service.WriteMetrics(text);
        return text.ToString();
    }
}
