using Microsoft.AspNetCore.Http;

namespace Veredus.Node.Http;

/// <summary>
/// What machines ask a node over HTTP: <c>/metrics</c> (Prometheus text), <c>/healthz</c> (the process works: 200, or 503 when its spool has failed) and
/// <c>/readyz</c> (it receives mail).
/// </summary>
public sealed class HttpEndpoint : HttpSockets, INodeService
{
    private VeredusNode _node = null!;

    public ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _node = node;
        return OpenAsync(node, cancellationToken);
    }

    protected override Task AnswerAsync(HttpContext context)
    {
        return context.Request.Path.Value switch
        {
            "/metrics" => SayAsync(context, StatusCodes.Status200OK, Metrics.Render(_node), "text/plain; version=0.0.4; charset=utf-8"),
            "/healthz" => _node.Spool.Fault is null ? SayAsync(context, StatusCodes.Status200OK, "ok\n") : SayAsync(context, StatusCodes.Status503ServiceUnavailable, "the spool has failed\n"),
            "/readyz" => _node.IsReady && _node.Spool.Fault is null ? SayAsync(context, StatusCodes.Status200OK, "ready\n") : SayAsync(context, StatusCodes.Status503ServiceUnavailable, "not ready\n"),
            _ => SayAsync(context, StatusCodes.Status404NotFound, "there are /metrics, /healthz and /readyz\n"),
        };
    }
}
